import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

/** Folder of this package: the nearest one above this file with a package.json, from source and from dist/ alike. */
export function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}

const packageJson = z.object({
  version: z.string(),
  optionalDependencies: z.object({ 'onnxruntime-node': z.string() }),
})
const readPackage = () => packageJson.parse(JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8')))

export const packageVersion = (): string => readPackage().version

/** The version of onnxruntime-node that this package is made for. */
export const wantedOnnxRuntime = (): string => readPackage().optionalDependencies['onnxruntime-node']

/** The word for the CLIP that comes with the package. */
export const BUNDLED = 'bundled'

/** Folder of the CLIP that comes with the package. */
export const bundledModel = (): string => join(packageFolder(), 'models', 'small-clip')

/** File of OpenAI's merges that comes with the package. */
export const clipMerges = (): string => join(packageFolder(), 'models', 'clip-merges.txt.gz')

/** File of a plan that comes with the package, if there is one of that name. */
export const bundledPlan = (name: string): string => join(packageFolder(), 'docs', 'plans', `${name}.yaml`)

/** Folder of the sample tasks that come with the package: pictures to try commands on. */
export const bundledSamples = (): string => join(packageFolder(), 'samples')

/** Folders of the package whose files have their SHA-256 in a file SHA256SUMS, as `sha256sum -c` reads it. */
export const sealedFolders = (): string[] => [join(packageFolder(), 'models'), bundledSamples()]

/** Folder of the built playground; it is not there in a clone that was not built. */
export const playgroundFolder = (): string => join(packageFolder(), 'dist', 'playground')
