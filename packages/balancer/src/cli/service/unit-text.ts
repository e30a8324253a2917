// Writes the unit files of systemd for one balancer. docs/switchyard.service and docs/switchyard.socket are what this file writes.

import { BalancerError } from '../../errors.ts'
import type { UnitPlan } from './unit-plan.ts'

/** The first line of each unit begins with it: other units are never overwritten or removed. */
export const MARK = "# Written by 'balancer service install'"

/** The text of a `.service` file. Throws ERR_CONFIG if a path can't be written in a unit. */
export function serviceText(plan: UnitPlan): string {
  const { name, isUser, folder, account, sockets } = plan
  const socket = `${name}.socket`
  return unit([
    head(plan),
    '',
    '[Unit]',
    `Description=${literal(name)}, a Node app on every core`,
    ...(isUser ? [] : ['Wants=network-online.target', 'After=network-online.target']),
    ...(sockets === undefined ? [] : [`Requires=${socket}`, `After=${socket}`]),
    '# A start that fails is tried again for as long as it takes, for example until the database is up.',
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    'Type=notify',
    ...(plan.notifiesByCommand ? ['# Without the native module, systemd-notify is run.', 'NotifyAccess=all'] : ['NotifyAccess=main']),
    'WatchdogSec=20',
    ...(account === undefined ? [] : [`User=${account.name}`]),
    `WorkingDirectory=${literal(folder)}`,
    '# The folder by its link: a reload and an upgrade follow the link again.',
    `Environment=${quoted(`PWD=${folder}`)} NODE_ENV=production`,
    ...(plan.runtimeFolder === undefined
      ? []
      : [
          "# For the control socket, where the user's commands find it. Services of one user share the folder.",
          `RuntimeDirectory=${plan.runtimeFolder}`,
          'RuntimeDirectoryMode=0700',
          'RuntimeDirectoryPreserve=yes',
        ]),
    `ExecStart=${command(plan.start)}`,
    ...(plan.reload.length > 0 ? [`ExecReload=${command(plan.reload)}`] : ['ExecReload=/bin/kill -HUP $MAINPID']),
    '# Only the primary gets the signal to stop. It lets its workers finish.',
    'KillMode=mixed',
    '# For a reload too, which ends when the last old worker has finished.',
    `TimeoutStartSec=${plan.startTimeoutS}`,
    '# More than drainTimeoutMs, shutdownDelayMs and stopTimeoutMs together.',
    `TimeoutStopSec=${plan.stopTimeoutS}`,
    'Restart=on-failure',
    'RestartSec=2',
    '# A config with faults needs a person.',
    'RestartPreventExitStatus=2',
    'LimitNOFILE=65536',
    ...rights(plan),
    ...hardening(plan),
    '',
    '[Install]',
    `WantedBy=${isUser ? 'default.target' : 'multi-user.target'}`,
  ])
}

/** The text of a `.socket` file; undefined: the plan has none. */
export function socketText(plan: UnitPlan): string | undefined {
  const { name, sockets } = plan
  if (sockets === undefined) return undefined
  return unit([
    head(plan),
    '# systemd owns the port: it is open before the balancer starts, while it is restarted, and for a user without the right to open it.',
    '',
    '[Unit]',
    `Description=The port of ${literal(name)}`,
    '',
    '[Socket]',
    ...sockets.streams.map((stream) => `ListenStream=${literal(stream)}`),
    ...(sockets.ipv6Only ? ['BindIPv6Only=ipv6-only'] : []),
    `Backlog=${sockets.backlog}`,
    '',
    '[Install]',
    'WantedBy=sockets.target',
  ])
}

/** The folder that a unit of ours belongs to; undefined: it is not ours. */
export function folderOfUnit(text: string): string | undefined {
  if (!text.startsWith(MARK)) return undefined
  return /^WorkingDirectory=(.*)$/m.exec(text)?.[1]?.replaceAll('%%', '%')
}

function unit(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`
}

function head({ folder }: UnitPlan): string {
  return `${MARK} for ${literal(folder)}. To change it, run that command again.`
}

function rights({ account, opensLowPort, isUser }: UnitPlan): string[] {
  if (!opensLowPort || isUser || account?.uid === 0) return []
  return ['# For a port below 1024, in place of root.', 'AmbientCapabilities=CAP_NET_BIND_SERVICE']
}

/** What an app does not miss. A unit of the user may not change its view of the file system. */
function hardening({ isUser, folder, needsTmp }: UnitPlan): string[] {
  return [
    '# An app that runs sudo, ping or sendmail needs this to be "no".',
    'NoNewPrivileges=yes',
    'LockPersonality=yes',
    'RestrictRealtime=yes',
    'RestrictSUIDSGID=yes',
    ...(isUser
      ? []
      : [
          '# /usr, /boot and /etc are read-only.',
          'ProtectSystem=full',
          ...(/^\/(usr|boot|efi|etc)\//.test(folder) ? [`ReadWritePaths=${quoted(folder)}`] : []),
          ...(needsTmp ? [] : ['# The service has a /tmp of its own.', 'PrivateTmp=yes']),
          'ProtectControlGroups=yes',
          'ProtectKernelModules=yes',
        ]),
  ]
}

function command(words: readonly string[]): string {
  return words.map((word) => quoted(word).replaceAll('$', '$$$$')).join(' ')
}

/** A word of a list, in quotes if it needs them. See systemd.syntax(7). */
function quoted(word: string): string {
  const text = literal(word)
  if (/^[\w@%+=:,./-]+$/.test(text)) return text
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

/** A value up to the end of its line. */
function literal(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these end a line or a string in a unit.
  if (/[\u0000-\u001f\u007f]/.test(text))
    throw new BalancerError('ERR_CONFIG', `A unit of systemd can't contain control characters: ${JSON.stringify(text)}`, {
      source: 'config',
    })
  return text.replaceAll('%', '%%')
}
