import type { Tokenizer } from '../src/clip/tokenizer/tokenizer.ts'
import type { Clip, TextConfig, VitConfig } from '../src/clip/types.ts'
import { tinyClip, tinyConfig } from '../src/testing/tiny-clip.ts'
import { pieceId, pieceOf, piecesOf } from './class-names.ts'

const START = 0
const END = 1
const SPECIAL = 2

/** CLIP ViT-B's text tower; the words of its table are those of the class names. */
const CLIP_TEXT = { vocabSize: 49408, width: 512, heads: 8, layers: 12, mlpWidth: 2048, contextLength: 77 }

/** A CLIP with random weights whose text tower has CLIP's sizes, or those given. Of its image tower only the projection is of use. */
export async function benchClip(text: Partial<TextConfig> = CLIP_TEXT, vision: Partial<VitConfig> = {}): Promise<Clip> {
  const { contextLength, vocabSize } = CLIP_TEXT
  const config = tinyConfig({ contextLength, vocabSize, ...text }, vision)
  const clip = await tinyClip({ ...config, embedDim: config.text.width })
  return { ...clip, tokenizer: pieceTokenizer(config.text.contextLength) }
}

export function pieceTokenizer(contextLength: number): Tokenizer {
  const encode = (text: string) => piecesOf(text).map((piece) => SPECIAL + (pieceId(piece) ?? END - SPECIAL))
  const tokenText = (id: number) => pieceOf(id - SPECIAL) ?? ''
  return {
    startToken: START,
    endToken: END,
    contextLength,
    encode,
    tokenize: (text) => [START, ...encode(text).slice(0, contextLength - SPECIAL), END],
    decode: (tokens) => tokens.map(tokenText).join(' '),
    tokenText,
  }
}
