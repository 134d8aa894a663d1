// coop-ts/node: files, pictures, folders of images, and ONNX Runtime in a worker thread.

export { checkShots, drawFewShot } from '../data/fewshot.ts'
export type { Dataset, Item } from '../data/items.ts'
export { type FolderOptions, readImageFolder } from '../datasets/folder.ts'
export { type OpenOptions, openDataset } from '../datasets/open.ts'
export { fileSource, folderModelFiles, writeFileAtomic } from '../node/files.ts'
export {
  HubError,
  type HubListing,
  type HubModel,
  type HubRepo,
  hubFile,
  hubFiles,
  hubModel,
  parseHubId,
} from '../node/hub/index.ts'
export { decodeImage, encodePng } from '../node/image.ts'
export { bundledModel } from '../node/package.ts'
export { nodeRuntime } from '../node/runtime.ts'
export {
  type EncodedItems,
  encodeSets,
  imageRows,
  type PictureOptions,
  type PictureSet,
} from '../runs/pictures.ts'
export { type FinishedRun, type RunOptions, readRunPrompt, trainInFolder } from '../runs/run.ts'
