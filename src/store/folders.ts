/** Files and folders that stay where they are: handles of the File System Access API instead of copies. */
import { StudioError } from '../numerics';
import type { StoredDataset, StoredFile } from './types';

/** Chromium's part of a handle, which the DOM's types lack. */
interface Asking {
  queryPermission?(options: { mode: 'read' }): Promise<PermissionState>;
  requestPermission?(options: { mode: 'read' }): Promise<PermissionState>;
}

async function allowed(handle: FileSystemHandle & Asking, ask: boolean): Promise<boolean> {
  // Handles of the page's own files need no permission.
  const now = (await handle.queryPermission?.({ mode: 'read' })) ?? 'granted';
  if (now !== 'prompt' || !ask) return now === 'granted';
  return (await handle.requestPermission?.({ mode: 'read' })) === 'granted';
}

async function walk(handle: FileSystemHandle, folder: string): Promise<StoredFile[]> {
  const path = folder + handle.name;
  if (handle.kind === 'file') return [{ path, file: await (handle as FileSystemFileHandle).getFile() }];
  const files: StoredFile[] = [];
  for await (const child of (handle as FileSystemDirectoryHandle).values()) files.push(...(await walk(child, `${path}/`)));
  return files;
}

/** Every file that the handles lead to, with the folders it lies in. */
export async function filesOfHandles(handles: readonly FileSystemHandle[]): Promise<readonly StoredFile[]> {
  return (await Promise.all(handles.map((handle) => walk(handle, '')))).flat();
}

/**
 * The files of a set: its copies, or what lies in its folder now.
 * @param ask the browser may ask the user, who has just pressed something
 * @returns null where the browser doesn't allow it
 * @throws StudioError 'missing-data' where the folder is gone
 */
export async function filesOfDataset({ name, files, handles }: StoredDataset, ask = false): Promise<readonly StoredFile[] | null> {
  if (!handles) return files;
  for (const handle of handles) if (!(await allowed(handle, ask))) return null;
  try {
    return await filesOfHandles(handles);
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== 'NotFoundError') throw error;
    throw new StudioError('missing-data', `${name} is no longer where it was.`, 'Open its folder again from where it is now.');
  }
}
