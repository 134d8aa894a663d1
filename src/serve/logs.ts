import { checkArguments, withMembers } from '../base/arguments.ts'
import { withoutSecrets } from '../base/secrets.ts'
import { visibleJson } from '../base/visible.ts'

/** A line of the log: what happened, and figures of it. Never bodies, queries or tokens. */
export type LogLine = Readonly<Record<string, string | number | undefined>> & { readonly event: string }

/** Takes lines of the log as they come. */
export type Log = (line: LogLine) => void

/** Lines of JSON on a stream, each with its time. */
export function jsonLog(stream: { write(text: string): unknown }): Log {
  checkArguments('jsonLog', { stream }, { stream: withMembers('a stream, such as process.stderr', 'write') })
  return (line) => {
    const text = visibleJson({ time: new Date().toISOString(), ...line })
    stream.write(`${withoutSecrets(text, process.env)}\n`)
  }
}
