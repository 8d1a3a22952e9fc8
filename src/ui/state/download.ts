/** Offers `blob` to the user as a file. */
export function download(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export function downloadText(text: string, name: string): void {
  download(new Blob([text], { type: 'application/json' }), name);
}
