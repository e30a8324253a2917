// What to use where systemd does not run: the commands for this folder, ready to be copied.

/** What the texts name. */
export interface AlternativesOptions {
  readonly name: string
  readonly folder: string
  readonly node: string
  readonly entry: string
  /** Arguments of `balancer start`. */
  readonly startArgs: readonly string[]
  /** The user that the app runs as. */
  readonly user: string
}

/** Several lines, without a line break at the end. */
export function alternatives({ name, folder, node, entry, startArgs, user }: AlternativesOptions): string {
  const start = [node, entry, 'start', ...startArgs].map(shellWord).join(' ')
  const [own, ofApp] = startArgs.includes('--') ? splitAt(startArgs) : [startArgs, []]
  const detached = [node, entry, 'start', '--detach', ...own, ...ofApp].map(shellWord).join(' ')
  return [
    'Use one of these instead:',
    '  In a container    Run it as the command of the image:',
    `    CMD ${JSON.stringify(['node', entry, 'start', ...startArgs])}`,
    '  Until the reboot  Run it in the background:',
    `    cd ${shellWord(folder)} && ${detached}`,
    "  After each boot   Add this line with 'crontab -e':",
    `    @reboot cd ${shellWord(folder)} && ${detached}`,
    `  With runit        Make /etc/sv/${name}/run executable, and link its folder into the folder of services:`,
    '    #!/bin/sh',
    `    cd ${shellWord(folder)} && exec chpst -u ${shellWord(user)} ${start}`,
    "'balancer service install --print' prints the unit for another machine.",
  ].join('\n')
}

function splitAt(args: readonly string[]): [readonly string[], readonly string[]] {
  const at = args.indexOf('--')
  return [args.slice(0, at), args.slice(at)]
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
