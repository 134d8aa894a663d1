type Environment = Readonly<Record<string, string | undefined>>

/** `user:password@` in an address; `hf://name@revision` is none. */
const LOGIN = /\b(?!hf:)([a-z][a-z0-9+.-]*:\/\/)[^\s/?#"'`<>\\]*@/gi
/** A value of an address's query that opens something. */
const KEY = /([?&][^\s=&"]*(?:token|secret|password|signature|credential|api_?key)[^\s=&"]*=)[^\s&"'`<>\\]+/gi
/** Names of variables that hold a secret, and not where one is. */
const SECRET = /TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY/i
const PLACE = /_(FILE|PATH|DIR)$/i
/** A value that is shorter may be part of any word. */
const SHORTEST = 8

/**
 * A text that may be kept or shown: without the login of an address, and without the secrets in the environment, in whose
 * place their names stand (`$HF_TOKEN`).
 */
export function withoutSecrets(text: string, env: Environment): string {
  const plain = secretsIn(env).reduce((shown, [secret, name]) => shown.replaceAll(secret, `$${name}`), text)
  return plain.replace(LOGIN, '$1***@').replace(KEY, '$1***')
}

/** Secrets and the names of their variables, long ones first: one may begin with another. */
function secretsIn(env: Environment): [secret: string, name: string][] {
  return Object.entries(env)
    .flatMap(([name, value = '']) => secretsOf(name, value.trim()).map((secret): [string, string] => [secret, name]))
    .filter(([secret]) => secret.length >= SHORTEST)
    .sort(([a], [b]) => b.length - a.length)
}

/** A variable's value, or the password of the address that it holds, also as an address spells it. */
function secretsOf(name: string, value: string): string[] {
  if (SECRET.test(name) && !PLACE.test(name)) return [value, encodeURIComponent(value)]
  const { password = '' } = value.includes('@') && URL.canParse(value) ? new URL(value) : {}
  return [password, decoded(password)]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
