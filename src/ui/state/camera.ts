import { StudioError } from '../../numerics';
import { t } from '../text';

export type CameraState = 'insecure' | 'denied' | 'missing' | 'busy' | 'unplugged';

/** One sentence for each way in which a camera can be out of reach. */
export function cameraError(state: CameraState): StudioError {
  const [message, hint] = t.camera[state];
  return new StudioError(state === 'insecure' ? 'unsupported' : 'runtime', message!, hint);
}

/** What getUserMedia's rejection means for the user. */
export function cameraState(error: unknown): CameraState {
  const name = error instanceof Error ? error.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError' || name === 'PermissionDeniedError') return 'denied';
  if (name === 'NotReadableError' || name === 'TrackStartError' || name === 'AbortError') return 'busy';
  return 'missing';
}

export interface Camera {
  /** The current frame; the caller hands it on or closes it. */
  grab(): Promise<ImageBitmap>;
  stop(): void;
}

/**
 * Starts the camera.
 * @param onUnplugged called when it goes away while running
 * @throws StudioError with one of the sentences of {@link cameraError}
 */
export async function openCamera(onUnplugged: () => void): Promise<Camera> {
  const devices = (navigator as Partial<Navigator>).mediaDevices;
  if (!devices) throw cameraError('insecure');
  let stream: MediaStream;
  try {
    stream = await devices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 } }, audio: false });
  } catch (error) {
    throw cameraError(cameraState(error));
  }
  const video = document.createElement('video');
  video.muted = true;
  video.playsInline = true;
  video.srcObject = stream;
  let stopped = false;
  for (const track of stream.getVideoTracks())
    track.addEventListener('ended', () => {
      if (!stopped) onUnplugged();
    });
  const stop = () => {
    stopped = true;
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
  try {
    await video.play();
  } catch {
    stop();
    throw cameraError('busy');
  }
  return { grab: () => createImageBitmap(video), stop };
}
