// The commands `balancer service …`: their arguments, options, help and examples.

import type { Command } from 'commander'
import type { CliIo } from '../io.ts'

export interface ServiceCommandsOptions {
  io: CliIo
  /** The arguments after `--`. */
  appArgs: readonly string[]
  /** Gets the exit code. */
  outcome: { exitCode: number }
  /** Adds the options that say which app to run, as `balancer start` has them. */
  addStartOptions(command: Command): Command
  addExamples(command: Command, examples: readonly string[]): void
  addExitCodes(command: Command, ...lines: readonly string[]): void
  refuseAppArgs(command: Command): void
}

const NO_SERVICE = '13  there is no such service, or systemd has refused'

export function addServiceCommands(program: Command, options: ServiceCommandsOptions): void {
  const { io, appArgs, outcome, addStartOptions, addExamples, addExitCodes, refuseAppArgs } = options
  const host = async () => (await import('../service/service-host.ts')).systemHost(io)
  const service = program.command('service').description('run the balancer of this folder as a service of systemd')

  const install = addStartOptions(
    service
      .command('install')
      .description('write the unit for this folder, have systemd verify it, and start the service, now and at each boot'),
  )
    .option('--user', "install it for your own systemd, which needs no root; it runs while you are logged in, or longer with 'lingering'")
    .option('--name <name>', 'name of the service (default: that of the balancer, which is the folder or the name in the config)')
    .option('--run-as <user>', 'user that the service runs as (default: the owner of the folder)')
    .option('--socket', 'systemd opens the port: clients wait while the service is restarted')
    .option('--print', 'print the unit and do nothing else')
    .option('--no-enable', 'write the unit only; do not start the service')
    .action(async (app, startOptions) => {
      const { withConfig } = await import('../command-settings.ts')
      const { installService } = await import('./service-install.ts')
      outcome.exitCode = await installService(withConfig({ ...startOptions, app, appArgs }, io.cwd), io, await host())
    })
  install.usage('[options] [app] [-- arguments of the app]')
  addExitCodes(
    install,
    '0   the service runs',
    '2   the config has faults',
    '12  systemd does not run here; the message says what to use instead',
    '13  systemd has refused, or the right to install is missing',
  )
  addExamples(install, [
    'sudo balancer service install',
    'sudo balancer service install --socket --listen 80 --run-as www-data server.js',
    'balancer service install --user',
    'balancer service install --print > shop.service',
  ])

  const find = (command: Command): Command =>
    command
      .option('--user', 'look only for a service of your own systemd')
      .option('--name <name>', 'name of the service (default: the one of this folder)')

  const status = find(service.command('status').description('show whether the service of this folder runs, and since when'))
    .option('--json', 'print JSON')
    .action(async (statusOptions) => {
      refuseAppArgs(status)
      const { serviceStatus } = await import('./service-status.ts')
      outcome.exitCode = await serviceStatus(statusOptions, io, await host())
    })
  addExitCodes(status, '0   the service runs', '8   it does not run', NO_SERVICE)
  addExamples(status, ['balancer service status', 'balancer service status --name shop --json'])

  const uninstall = find(service.command('uninstall').description('stop the service of this folder, as SIGTERM does, and remove its unit'))
  uninstall.action(async (uninstallOptions) => {
    refuseAppArgs(uninstall)
    const { uninstallService } = await import('./service-uninstall.ts')
    outcome.exitCode = await uninstallService(uninstallOptions, io, await host())
  })
  addExitCodes(uninstall, '0   it is removed', NO_SERVICE)
  addExamples(uninstall, ['sudo balancer service uninstall', 'balancer service uninstall --user'])
  for (const command of service.commands)
    command.showHelpAfterError(`Run 'balancer service ${command.name()} --help' for its arguments and options.`)
}
