// A terminal of a given size with a shell in it, by a tmux server of its own, whose screen a test reads and whose keys it presses.

import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { atSuiteEnd } from '../../../../../test/suite.ts'
import { until } from '../../../../../test/support/until.ts'
import { type RunningBalancer, temporaryFolder } from './running-balancer.ts'

const BIN = fileURLToPath(new URL('../../../bin/balancer.js', import.meta.url))
const PROMPT = 'shell$ '

export class TmuxTerminal {
  private readonly folder = temporaryFolder()

  constructor(width: number, height: number) {
    const env = { PATH: process.env.PATH, HOME: this.folder, LANG: 'C.UTF-8', TERM: 'xterm-256color', PS1: PROMPT, SHELL: '/bin/sh' }
    // A locale for tmux itself, which otherwise replaces what is not ASCII.
    const args = ['-u', '-S', this.socket, '-f', '/dev/null', 'new-session', '-d', '-x', String(width), '-y', String(height), '/bin/sh']
    execFileSync('tmux', args, { env })
    atSuiteEnd(() => {
      try {
        this.tmux('kill-server')
      } catch {
        // Its shell has exited.
      }
    })
  }

  /** The lines of the screen, without spaces at their ends. */
  get lines(): string[] {
    return this.tmux('capture-pane', '-p').split('\n').slice(0, -1)
  }

  get text(): string {
    return this.lines.join('\n')
  }

  /** The screen with its escape sequences for colours. */
  get colouredText(): string {
    return this.tmux('capture-pane', '-p', '-e')
  }

  /** Is the terminal as a shell needs it: normal screen, cursor, wrapping? */
  get isClean(): boolean {
    return this.tmux('display-message', '-p', '#{alternate_on} #{cursor_flag} #{wrap_flag}').trim() === '0 1 1'
  }

  /** Names of keys as tmux has them, or characters. */
  press(...keys: readonly string[]): void {
    this.tmux('send-keys', ...keys)
  }

  /** Types characters as they are. */
  type(text: string): void {
    this.tmux('send-keys', '-l', text)
  }

  resize(width: number, height: number): void {
    this.tmux('resize-window', '-x', String(width), '-y', String(height))
  }

  async untilShown(pattern: RegExp, what = String(pattern)): Promise<string> {
    let last = ''
    try {
      return await until(
        () => {
          last = this.text
          return pattern.test(last) ? last : undefined
        },
        10_000,
        what,
      )
    } catch (error) {
      throw new Error(`${(error as Error).message}:\n${last}`)
    }
  }

  /** Runs a `balancer` command in the shell, in the folder of the balancer. Resolves with its pid. Its exit code is printed at its end. */
  async run({ temporary }: RunningBalancer, args: string, env = ''): Promise<number> {
    const pidFile = join(this.folder, 'pid')
    rmSync(pidFile, { force: true })
    const command = `clear; cd ${temporary}; (${env} TMPDIR=${temporary} XDG_RUNTIME_DIR= exec sh -c 'echo $$ > ${pidFile}; exec ${process.execPath} ${BIN} ${args}'); echo "code $?"`
    this.type(command)
    this.press('Enter')
    return until(() => {
      try {
        return Number(readFileSync(pidFile, 'utf8')) || undefined
      } catch {
        return undefined
      }
    })
  }

  /** Resolves when the command has ended with that code and the terminal is as before: also echo and whole lines work. */
  async untilEnded(code: number): Promise<void> {
    await this.untilShown(new RegExp(`^code ${code}$`, 'm'))
    await until(() => this.isClean, 10_000, 'a clean terminal')
    this.type('stty -a | grep -ow -e "-*icanon" -e "-*echo" -e "-*isig" | tr "\\n" ,')
    this.press('Enter')
    await this.untilShown(/(^|\n)isig,icanon,echo,/)
  }

  private get socket(): string {
    return join(this.folder, 'tmux')
  }

  private tmux(...args: readonly string[]): string {
    return execFileSync('tmux', ['-u', '-S', this.socket, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  }
}
