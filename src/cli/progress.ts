import type { Progress } from '../pipeline';
import { terminalText } from './tables';

export interface ProgressLine {
  (p: Progress): void;
  /** Writes a finished line of its own. */
  note(text: string): void;
  end(): void;
}

/** Progress on one rewritten line of a terminal, or every tenth of the way where there is none. */
export function showProgress(stream: NodeJS.WriteStream): ProgressLine {
  let last = '';
  let open = false;
  const close = () => {
    if (open) stream.write('\n');
    open = false;
  };
  const line = (p: Progress) => {
    const left = p.secondsLeft === undefined ? '' : `, ${Math.ceil(p.secondsLeft)} s left`;
    const text = `${p.label} ${p.done}/${p.total}${left}`;
    if (stream.isTTY) {
      stream.write(`\r\x1b[K${text}`);
      open = true;
      return;
    }
    const tenth = `${p.label} ${Math.floor((10 * p.done) / Math.max(1, p.total))}`;
    if (tenth !== last) stream.write(`${text}\n`);
    last = tenth;
  };
  return Object.assign(line, {
    note: (text: string) => {
      close();
      stream.write(`${terminalText(text)}\n`);
    },
    end: close,
  });
}
