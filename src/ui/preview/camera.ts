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

/** @param onUnplugged called when the camera goes while it runs */
export async function openCamera(onUnplugged: () => void): Promise<OpenedCamera> {
  if (!navigator.mediaDevices?.getUserMedia) return { trouble: 'insecure' };
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: false });
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
