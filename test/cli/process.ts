/** `bonsai` as a user calls it: a process, its exit code, stdout and stderr. */
import { type ChildProcess, spawn } from 'node:child_process';

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(script: string, args: readonly string[]): { readonly child: ChildProcess; readonly ended: Promise<Outcome> } {
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<Outcome>((resolve, reject) => {
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended };
}

/** A call that the test may kill. */
export const start = (...args: string[]) => run('src/cli/bonsai.ts', args);

export const bonsai = (...args: string[]): Promise<Outcome> => start(...args).ended;

/** Calls one after the other in one process, each as if it were its own: starting one takes longer than a refusal. */
export async function inTurn(calls: readonly (readonly string[])[]): Promise<readonly Outcome[]> {
  const { code, stdout, stderr } = await run('test/cli/in-turn.ts', [JSON.stringify(calls)]).ended;
  if (code !== 0) throw new Error(`in-turn.ts ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as Outcome[];
}

/** What `--json` promises: one object on the last line. */
export const lastLine = (stdout: string): Record<string, never> => JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
