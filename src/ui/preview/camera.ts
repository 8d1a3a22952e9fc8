/** The five ways a camera can't be had; each has its own sentence. */
export type CameraTrouble = 'insecure' | 'denied' | 'missing' | 'busy' | 'unplugged';

const BY_NAME: Readonly<Record<string, CameraTrouble>> = {
  NotAllowedError: 'denied',
  SecurityError: 'insecure',
  NotFoundError: 'missing',
  OverconstrainedError: 'missing',
  NotReadableError: 'busy',
  AbortError: 'busy',
};

export type OpenedCamera = { readonly stream: MediaStream; readonly video: HTMLVideoElement } | { readonly trouble: CameraTrouble };

/** Widths and heights that are asked for; a camera gives the nearest that it has. */
export const RESOLUTIONS = ['320×240', '640×480', '1280×720', '1920×1080'] as const;
export type Resolution = (typeof RESOLUTIONS)[number];

export interface CameraWish {
  /** Id of a device; '' = the browser's choice. */
  readonly device: string;
  readonly resolution: Resolution;
}

/** Cameras by name, as far as the browser tells before and after they were allowed. */
export async function listCameras(): Promise<readonly { readonly id: string; readonly label: string }[]> {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return devices.filter(({ kind, deviceId }) => kind === 'videoinput' && deviceId).map(({ deviceId, label }) => ({ id: deviceId, label }));
}

/** @param onUnplugged called when the camera goes while it runs */
export async function openCamera(wish: CameraWish, onUnplugged: () => void): Promise<OpenedCamera> {
  if (!navigator.mediaDevices?.getUserMedia) return { trouble: 'insecure' };
  try {
    const [width, height] = wish.resolution.split('×').map(Number);
    const device = wish.device ? { deviceId: { exact: wish.device } } : {};
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width, height, ...device }, audio: false });
    for (const track of stream.getVideoTracks()) track.addEventListener('ended', onUnplugged, { once: true });
    const video = document.createElement('video');
    video.muted = true;
    video.playsInline = true;
    video.srcObject = stream;
    await video.play();
    return { stream, video };
  } catch (error) {
    return { trouble: BY_NAME[error instanceof Error ? error.name : ''] ?? 'missing' };
  }
}
