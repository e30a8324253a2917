// Notices modules that NODE_OPTIONS loads in every Node process, such as a monitoring agent. Those are meant for the workers.

const PRELOAD = /(?:^|\s)(?:-r|--require|--import)(?:=|\s+)(?:"([^"]*)"|(\S+))/g

/** One sentence; undefined: NODE_OPTIONS loads no module. */
export function preloadNotice({ NODE_OPTIONS = '' }: NodeJS.ProcessEnv): string | undefined {
  const modules = [...NODE_OPTIONS.matchAll(PRELOAD)].map(([, quoted, plain]) => quoted ?? plain)
  if (modules.length === 0) return undefined
  return `NODE_OPTIONS loads ${modules.join(' and ')} in the primary too, which serves no request of the app: to load it in the workers only, set 'execArgv' of the pools`
}
