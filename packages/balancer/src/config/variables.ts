// Variables that a config may read, and that the environment has only while it does.

/** Runs `act` while the variables are in the environment. */
export async function withVariables<T>(
  variables: Readonly<Record<string, string>>,
  env: NodeJS.ProcessEnv,
  act: () => Promise<T>,
): Promise<T> {
  Object.assign(env, variables)
  try {
    return await act()
  } finally {
    for (const name of Object.keys(variables)) delete env[name]
  }
}
