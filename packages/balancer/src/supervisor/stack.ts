export function inspectorUrl(line: string): string | undefined {
  return /Debugger listening on (ws:\S+)/.exec(line)?.[1]
}
export async function captureStack(_pid: number, _hear: (listener: (url: string) => void) => void): Promise<string | undefined> {
  return undefined
}
