import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { availableParallelism, hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

/** A SLURM of one node, this machine, on the loopback interface. */
export interface Slurm {
  /** What its commands (sbatch, squeue) must find in the environment. */
  readonly env: NodeJS.ProcessEnv
  /** Runs one of its commands; returns what it prints. Throws what it says when it fails. */
  command(name: string, ...words: readonly string[]): Promise<string>
  stop(): Promise<void>
}

const SERVERS = ['munged', 'slurmctld', 'slurmd']

/** Why there can be no SLURM here; undefined where there can be. */
export function slurmLack(): string | undefined {
  if (process.getuid?.() !== 0) return 'SLURM is started as root alone'
  const missing = [...SERVERS, 'sbatch', 'scontrol'].filter((name) => spawnSync('which', [name]).status !== 0)
  return missing.length === 0 ? undefined : `${missing.join(', ')} not installed (Debian: slurm-wlm, munge)`
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Starts a SLURM of one node in a folder of its own; its jobs are stopped with it. */
export async function startSlurm(): Promise<Slurm> {
  const root = await mkdtemp(join(tmpdir(), 'coop-slurm-'))
  const at = (name: string) => join(root, name)
  await chmod(root, 0o755)
  for (const name of ['state', 'spool']) await mkdir(at(name))
  await writeFile(at('munge.key'), randomBytes(128), { mode: 0o400 })
  const [control, node] = [await freePort(), await freePort()]
  const conf = {
    ClusterName: 'coop',
    SlurmctldHost: `${hostname()}(127.0.0.1)`,
    SlurmUser: 'root',
    SlurmdUser: 'root',
    SlurmctldPort: control,
    SlurmdPort: node,
    SlurmctldPidFile: at('slurmctld.pid'),
    SlurmdPidFile: at('slurmd.pid'),
    SlurmctldLogFile: at('slurmctld.log'),
    SlurmdLogFile: at('slurmd.log'),
    StateSaveLocation: at('state'),
    SlurmdSpoolDir: at('spool'),
    AuthType: 'auth/munge',
    // a job that is put into the queue again waits until what let it in has expired, two minutes otherwise
    AuthInfo: `socket=${at('munge.socket')},cred_expire=5`,
    CredType: 'cred/munge',
    ProctrackType: 'proctrack/linuxproc',
    TaskPlugin: 'task/none',
    JobAcctGatherType: 'jobacct_gather/none',
    AccountingStorageType: 'accounting_storage/none',
    MpiDefault: 'none',
    SwitchType: 'switch/none',
    SelectType: 'select/cons_tres',
    SelectTypeParameters: 'CR_CPU',
    SchedulerParameters: 'sched_interval=2,bf_interval=2',
    ReturnToService: 2,
    KillWait: 15,
    JobRequeue: 1,
    // loopback alone
    CommunicationParameters: 'NoCtldInAddrAny,NoInAddrAny',
    SlurmdParameters: 'config_overrides',
    MailProg: '/bin/true',
  }
  const lines = Object.entries(conf).map(([key, value]) => `${key}=${value}`)
  // tasks that wait for a CPU of their own are no test of a script: the node says that it has some
  const cpus = Math.max(4, availableParallelism())
  lines.push(`NodeName=coophost NodeHostname=${hostname()} NodeAddr=127.0.0.1 Port=${node} CPUs=${cpus} State=UNKNOWN`)
  lines.push('PartitionName=all Nodes=coophost Default=YES MaxTime=INFINITE State=UP')
  await writeFile(at('slurm.conf'), `${lines.join('\n')}\n`)

  const env = { ...process.env, SLURM_CONF: at('slurm.conf') }
  const servers: ChildProcess[] = []
  const start = (name: string, words: readonly string[]) => {
    const child = spawn(name, words, { env, stdio: 'ignore', detached: true })
    servers.unshift(child)
  }
  const command = async (name: string, ...words: readonly string[]) =>
    (await promisify(execFile)(name, words, { env })).stdout.trim()
  const stop = async () => {
    await command('scancel', '--user=root').catch(() => '')
    await sleep(500)
    for (const child of servers) {
      if (child.exitCode !== null) continue
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await Promise.race([ended, sleep(5000).then(() => child.kill('SIGKILL'))])
    }
    await rm(root, { recursive: true, force: true })
  }
  start('munged', [
    '--foreground',
    '--force',
    `--key-file=${at('munge.key')}`,
    `--socket=${at('munge.socket')}`,
    `--pid-file=${at('munged.pid')}`,
    `--log-file=${at('munged.log')}`,
    `--seed-file=${at('munged.seed')}`,
  ])
  await sleep(500)
  start('slurmctld', ['-D', '-f', at('slurm.conf')])
  start('slurmd', ['-D', '-N', 'coophost', '-f', at('slurm.conf')])
  for (let tries = 0; tries < 100; tries++) {
    const state = await command('sinfo', '--noheader', '--format=%T').catch(() => '')
    if (state === 'idle') return { env, command, stop }
    await sleep(300)
  }
  const logs = await Promise.all(
    ['slurmctld.log', 'slurmd.log', 'munged.log'].map((name) => readFile(at(name), 'utf8').catch(() => '')),
  )
  await stop()
  throw new Error(`SLURM does not come up:\n${logs.map((log) => log.slice(-2000)).join('\n')}`)
}
