// The libuv handle under a socket of Node's, as far as it is used here.

export interface Handle {
  open(fd: number): number
  close(): void
  readStart(): number
  setNoDelay?(enable: boolean): void
}
