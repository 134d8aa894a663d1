import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Who gets a package: everybody who installs coop-ts (on some systems at least), who also installs its optional peers for
 * pages, or who works in a clone.
 */
export type Audience = 'users' | 'pages' | 'development'

/** A package in package-lock.json. */
export interface Package {
  readonly name: string
  readonly version: string
  /** Its folder below the root, such as `node_modules/zod`. */
  readonly path: string
  /** As its package.json states it. */
  readonly licence?: string
  readonly integrity?: string
  readonly resolved?: string
  readonly installScript: boolean
  readonly audience: Audience
}

const versions = z.record(z.string(), z.string()).default({})
const manifestSchema = z.object({
  version: z.string().optional(),
  /** Old packages have an object here, which counts as none. */
  license: z.string().optional().catch(undefined),
  dependencies: versions,
  devDependencies: versions,
  optionalDependencies: versions,
  peerDependencies: versions,
  peerDependenciesMeta: z.record(z.string(), z.object({ optional: z.boolean().default(false) })).default({}),
  allowScripts: z.record(z.string(), z.boolean()).default({}),
})
/** What is read of a package.json, and of an entry of package-lock.json. */
export type Manifest = z.output<typeof manifestSchema>

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    manifestSchema.extend({
      integrity: z.string().optional(),
      resolved: z.string().optional(),
      hasInstallScript: z.boolean().default(false),
    }),
  ),
})
export type Lock = z.output<typeof lockSchema>

const readJson = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'))
export const readManifest = (folder: string): Manifest =>
  manifestSchema.parse(readJson(join(ROOT, folder, 'package.json')))
export const readLock = (): Lock => lockSchema.parse(readJson(join(ROOT, 'package-lock.json')))

/** What npm has installed in the folder of a package; undefined for one of another system. */
export const installed = ({ path }: Package): Manifest | undefined =>
  existsSync(join(ROOT, path, 'package.json')) ? readManifest(path) : undefined

/** All packages of a lock, by name and version. */
export function packagesOf({ packages }: Lock): Package[] {
  const root = packages[''] ?? manifestSchema.parse({})
  const users = reach(packages, { ...root.dependencies, ...root.optionalDependencies })
  const pages = reach(packages, root.peerDependencies)
  const audienceOf = (path: string): Audience => (users.has(path) ? 'users' : pages.has(path) ? 'pages' : 'development')
  return Object.entries(packages)
    .filter(([path]) => path !== '')
    .map(([path, { version = '', license, integrity, resolved, hasInstallScript }]) => ({
      name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
      version,
      path,
      licence: license,
      integrity,
      resolved,
      installScript: hasInstallScript,
      audience: audienceOf(path),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1))
}

/** Folders of the packages that come with these dependencies of the root. */
function reach(packages: Lock['packages'], names: Readonly<Record<string, string>>): Set<string> {
  const reached = new Set<string>()
  const visit = (from: string, names: Readonly<Record<string, string>>) => {
    for (const name of Object.keys(names)) {
      const path = resolve(packages, from, name)
      if (path === undefined || reached.has(path)) continue
      reached.add(path)
      const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = packages[path] ?? {}
      const peers = Object.entries(peerDependencies ?? {}).filter(([peer]) => !peerDependenciesMeta?.[peer]?.optional)
      visit(path, { ...dependencies, ...optionalDependencies, ...Object.fromEntries(peers) })
    }
  }
  visit('', names)
  return reached
}

/** Where Node finds a package: in the folder that asks, or in one above it. */
function resolve(packages: Lock['packages'], from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    const path = `${folder}${folder && '/'}node_modules/${name}`
    if (path in packages) return path
    if (folder === '') return undefined
  }
}
