/** Hands a file to the browser's downloads. */
export function download(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads the file after this returns.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** "2026-11-28-15-04-05", for names of files. */
export const stamp = (): string => new Date().toISOString().slice(0, 19).replaceAll(/[T:]/g, '-');
