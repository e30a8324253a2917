// The command line: each command with its arguments, options, help and examples. What a command does is in the file of its name.

import { isIP } from 'node:net'
import { protocolFault, serverNameFault } from '@switchyard/routing'
import { Command, InvalidArgumentError, Option } from 'commander'
import { parseHostPort, parseListen } from '../../config/listen-options.ts'
import { type CliIo, ownVersion } from '../io.ts'
import { LOG_LEVELS } from '../log-level.ts'
import { addControlCommands, addExitCodes } from './control-commands.ts'
import { addServiceCommands } from './service-commands.ts'

/** `appArgs`: the arguments after `--`. The command that runs sets the exit code in `outcome`. */
export function createProgram(io: CliIo, appArgs: readonly string[], outcome: { exitCode: number }): Command {
  const program = new Command('balancer')
    .description('Runs a Node web app on every core and sends each connection to the right worker.')
    .version(ownVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showHelpAfterError("Run 'balancer --help' for the commands.")
  addExamples(program, ['balancer start server.js', 'balancer status', 'balancer reload', 'balancer init', 'balancer check'])

  const startCommand = addStartOptions(program.command('start').description('start an app on every core, or the apps of balancer.config.*'))
    .option('--watch', 'for development: reload when a file of the app or the config changes')
    .option('--watch-path <path>', 'watch this path instead of the folders of app and config; may be repeated', collect)
    .option('--detach', 'run in the background: return when the balancer is ready, or with the reason why it is not')
    .addOption(new Option('--detached', 'set by --detach for the process in the background').hideHelp())
    .option('--log-file <file>', 'append the log to this file (default with --detach: a file in ~/.local/state/switchyard)')
    .option('--pretty', 'print readable log lines (default on a terminal)')
    .option('--no-pretty', 'print log lines as JSON')
    .action(async (app, options) => {
      const { withConfig } = await import('../command-settings.ts')
      const { detach, ...startOptions } = withConfig({ ...options, app, appArgs }, io.cwd)
      outcome.exitCode =
        detach === true
          ? await (await import('./detach.ts')).startDetached(startOptions, io)
          : await (await import('./start.ts')).start(startOptions, io)
    })
  startCommand.usage('[options] [app] [-- arguments of the app]')
  startCommand.addHelpText(
    'after',
    "\nEnvironment:\n  SWITCHYARD_CHANNEL    how connections are handed to workers: 'native', or 'portable' without the native module\n  SWITCHYARD_LOG_LEVEL  the same as --log-level\n  SWITCHYARD_REDIS_URL  the Redis server that keeps sessions\n  SWITCHYARD_SECRET     the secret that signs tickets",
  )
  addExamples(startCommand, [
    'balancer start server.js',
    'balancer start server.js -i 4 --listen 127.0.0.1:8080 -- --verbose',
    'balancer start --config production.config.ts --admin off',
    'balancer start --watch server.ts',
    'balancer start --detach server.js    (stop it with: balancer stop)',
    'balancer start ecosystem.config.js --env production    (a file for PM2)',
  ])

  const initCommand = program
    .command('init')
    .description('write a config for the app in this folder, with the routes that it needs')
    .argument('[app]', 'entry file of the app (default: found by package.json and by name)')
    .option('--print', 'print the config instead of writing it')
    .option('--force', 'overwrite a config that is there')
    .action(async (app, options) => {
      refuseAppArgs(initCommand, appArgs)
      const { init } = await import('./init.ts')
      outcome.exitCode = await init({ ...options, app }, io)
    })
  addExamples(initCommand, ['balancer init', 'balancer init src/server.ts', 'balancer init --print'])

  const importCommand = program
    .command('import')
    .description('convert a file for PM2 into a config, and say what becomes of each option')
    .argument('[file]', 'file for PM2 (default: ecosystem.config.* or its like in this folder)')
    .option('--env <name>', 'take over the variables of env_<name> too')
    .option('--only <apps>', 'take over these apps only; their names, separated by commas')
    .option('--write', 'write balancer.config.* instead of printing it')
    .option('--force', 'with --write: overwrite a config that is there')
    .option('--json', 'print JSON')
    .action(async (file, options) => {
      refuseAppArgs(importCommand, appArgs)
      const { importFile } = await import('./import.ts')
      outcome.exitCode = await importFile({ ...options, file }, io)
    })
  addExamples(importCommand, [
    'balancer import ecosystem.config.js',
    'balancer import ecosystem.config.js --env production --write',
    'balancer import process.yml --json | jq \'.result.options[] | select(.state == "missing")\'',
  ])

  const checkCommand = program
    .command('check')
    .description('print the pools and routes of the config, or all of its faults')
    .option('-c, --config <file>', 'config file (default: balancer.config.* in this folder)')
    .option('--environment <file>', 'file of environment variables for the config')
    .option('--env <name>', 'for a file for PM2: take over the variables of env_<name> too')
    .action(async (options) => {
      refuseAppArgs(checkCommand, appArgs)
      const { check } = await import('./check.ts')
      outcome.exitCode = await check(options, io)
    })
  addExamples(checkCommand, ['balancer check', 'balancer check --config production.config.ts'])

  const doctorCommand = program
    .command('doctor')
    .description('print what could keep a balancer from working on this machine, and what to do')
    .option('-c, --config <file>', 'config file (default: balancer.config.* in this folder)')
    .option('--environment <file>', 'file of environment variables for the config')
    .option('--build', 'compile the native module first, with the compiler of this machine')
    .option('--json', 'print JSON')
    .action(async (options) => {
      refuseAppArgs(doctorCommand, appArgs)
      const { doctor } = await import('./doctor.ts')
      outcome.exitCode = await doctor(options, io)
    })
  addExitCodes(doctorCommand, '0   there is no fault; there may be warnings', '15  there is a fault')
  addExamples(doctorCommand, [
    'balancer doctor',
    'balancer doctor --build',
    'balancer doctor --config production.config.ts --json | jq \'.checks[] | select(.state != "ok")\'',
  ])

  const explainCommand = program
    .command('explain')
    .description('print which route, pool, policy and worker a request would get, and why; needs no running balancer, except with --live')
    .argument('[method]', 'such as GET; left out, with the path: a TLS connection before its first request', parseMethod)
    .argument('[path]', 'such as /cart?id=1', parseTarget)
    .option('--sni <name>', 'server name of a TLS connection', parseServerName)
    .option('--alpn <protocols>', "protocols that the TLS client offers, such as 'h2,http/1.1'", parseProtocols)
    .option('-H, --header <field>', "a header field, 'Name: value'; may be repeated", collectHeader)
    .option('--from <address>', 'IP address of the client', parseAddress, '127.0.0.1')
    .option('--listener <address>', 'listener over which the connection comes (default: the first of the config)', parseListener)
    .option('-c, --config <file>', 'config file (default: balancer.config.* in this folder)')
    .option('--environment <file>', 'file of environment variables for the config')
    .option('--live', 'ask the running balancer, with the load of this moment')
    .option('--control <path>', 'with --live: path of its control socket (default: found by folder and config)')
    .option('--json', 'with --live: print JSON')
    .action(async (method, target, options) => {
      refuseAppArgs(explainCommand, appArgs)
      if (options.live !== true && (options.json !== undefined || options.control !== undefined))
        explainCommand.error("error: '--json' and '--control' need '--live'")
      const isOverTls = options.sni !== undefined || options.alpn !== undefined
      if (method === undefined && !isOverTls)
        explainCommand.error("error: missing required argument 'method', or '--sni' for a TLS connection")
      if (method !== undefined && target === undefined) explainCommand.error("error: missing required argument 'path'")
      const { explain } = await import('./explain.ts')
      outcome.exitCode = await explain({ ...options, method, target }, io)
    })
  addExamples(explainCommand, [
    'balancer explain GET /reports/7',
    "balancer explain GET /cart -H 'Cookie: connect.sid=s%3A1' -H 'Host: shop.example.com'",
    'balancer explain GET /cart --live    (asks the running balancer, with its present load)',
    'balancer explain POST /v2/orders --from 203.0.113.7',
    'balancer explain --sni shop.example.com --alpn h2,http/1.1    (a TLS connection, routed by its ClientHello)',
  ])

  addControlCommands({
    io,
    add(name, description, run) {
      const command = program.command(name).description(description)
      return command.action(async () => {
        refuseAppArgs(command, appArgs)
        outcome.exitCode = await run(command.processedArgs as never, command.opts() as never, command)
      })
    },
    addExamples,
  })
  addServiceCommands(program, {
    io,
    appArgs,
    outcome,
    addStartOptions,
    addExamples,
    addExitCodes,
    refuseAppArgs: (command) => refuseAppArgs(command, appArgs),
  })
  for (const command of program.commands)
    command.showHelpAfterError(`Run 'balancer ${command.name()} --help' for its arguments and options.`)
  return program
}

/** The options that say what to run. */
function addStartOptions(command: Command): Command {
  return command
    .argument('[app]', 'entry file of the app, which overrides the app of the config; or a file for PM2')
    .option('-i, --instances <number>', "number of workers of the first pool, or 'max' for one per core", parseWorkers)
    .option('-l, --listen <address>', "a port, 'host:port' or the path of a unix socket; may be repeated", collectListen)
    .option('-c, --config <file>', 'config file (default: balancer.config.{ts,mts,js,mjs,cjs,json} in this folder)')
    .option('--admin <address>', "a port or 'host:port' for metrics and health, or 'off' (default: 127.0.0.1:9400)", parseAdmin)
    .option('--control <path>', "path of the control socket, or 'off' (default: depends on folder and config)", parseControl)
    .option('--environment <file>', 'file of environment variables for the config and the workers; a reload reads it again')
    .option('--env <name>', 'for a file for PM2: take over the variables of env_<name> too')
    .option('--only <apps>', 'for a file for PM2: start these apps only; their names, separated by commas')
    .addOption(new Option('--log-level <level>', "lowest level to log (default: 'info')").choices(LOG_LEVELS))
}

function addExamples(command: Command, examples: readonly string[]): void {
  command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}`)
}

function refuseAppArgs(command: Command, appArgs: readonly string[]): void {
  if (appArgs.length > 0) command.error(`error: '${command.name()}' runs no app, so it takes no arguments after --`)
}

function parseWorkers(text: string): number | 'max' {
  if (text === 'max') return text
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError("Expected a positive integer or 'max'.")
  return Number(text)
}

function collect(text: string, earlier: string[] = []): string[] {
  return [...earlier, text]
}

function parseControl(text: string): string | false {
  return text === 'off' ? false : text
}

function collectListen(text: string, earlier: string[] = []): string[] {
  return [...earlier, parseListener(text)]
}

function parseAdmin(text: string): string | false {
  if (text === 'off') return false
  if ('fault' in parseHostPort(text)) throw new InvalidArgumentError("Expected a port, 'host:port' or 'off'.")
  return text
}

function parseMethod(text: string): string {
  if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(text))
    throw new InvalidArgumentError(
      text.startsWith('/') ? `Expected a method first, such as 'GET ${text}'.` : 'Expected a method such as GET.',
    )
  return text
}

function parseTarget(text: string): string {
  if (!/^[\x21-\x7e]+$/.test(text)) throw new InvalidArgumentError('Expected a percent-encoded path without spaces.')
  return text
}

function parseServerName(text: string): string {
  const fault = text.startsWith('*') ? 'expected the name of one host' : serverNameFault(text)
  if (fault !== undefined) throw new InvalidArgumentError(sentence(fault))
  return text.toLowerCase()
}

function parseProtocols(text: string): string[] {
  const protocols = text.split(',')
  const fault = protocols.map(protocolFault).find((one) => one !== undefined)
  if (fault !== undefined) throw new InvalidArgumentError(sentence(fault))
  return protocols
}

function collectHeader(text: string, earlier: [string, string][] = []): [string, string][] {
  const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*([^\r\n\0]*)$/.exec(text) ?? []
  if (name === undefined || value === undefined) throw new InvalidArgumentError("Expected 'Name: value'.")
  return [...earlier, [name, value]]
}

function parseListener(text: string): string {
  const parsed = parseListen(text, '/')
  if ('fault' in parsed) throw new InvalidArgumentError(sentence(parsed.fault))
  return text
}

function parseAddress(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('Expected an IP address.')
  return text
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
