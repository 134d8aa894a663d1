import type { Random } from '../../../base/random.ts'
import type { PictureFacts } from './types.ts'

export type Rgb = readonly [number, number, number]

/** Colours that captions name. */
export const namedColours = {
  red: [222, 40, 40],
  green: [46, 160, 67],
  blue: [38, 96, 220],
  yellow: [250, 214, 40],
  orange: [245, 140, 30],
  purple: [136, 60, 190],
  pink: [250, 130, 185],
  brown: [130, 80, 40],
  turquoise: [50, 195, 195],
  gray: [140, 140, 140],
  black: [15, 15, 15],
  white: [255, 255, 255],
} as const satisfies Readonly<Record<string, Rgb>>
export type ColourName = keyof typeof namedColours
const colourNames = Object.keys(namedColours).filter((name): name is ColourName => name in namedColours)

/** What is done to the colours of the finished picture. */
export type Effect = 'gray' | 'inverted' | 'outlined' | 'line drawing' | 'silhouette' | '3d' | 'blurry' | 'pixelated'

/** Where the drawing stands and how it is turned. */
export type Pose =
  | 'upside down'
  | 'rotated left'
  | 'rotated right'
  | 'small'
  | 'close-up'
  | 'top left'
  | 'top right'
  | 'bottom left'
  | 'bottom right'

/** Something a caption says about the view; colours are of the background or of the drawing's ink. */
export type Named =
  | { readonly kind: 'pose'; readonly value: Pose }
  | { readonly kind: 'effect'; readonly value: Effect }
  | { readonly kind: 'background'; readonly value: ColourName }
  | { readonly kind: 'ink'; readonly value: ColourName }

/** One way of showing a sprite: everything the painter needs, and what the caption may tell of it. */
export interface View {
  readonly named: readonly Named[]
  readonly background: Rgb
  /** Colour of a one-colour sprite, of outlines and of silhouettes. */
  readonly ink: Rgb
  /** 1: the sprite's square fills the picture. */
  readonly zoom: number
  /** Shift in pixels of the 64-pixel picture. */
  readonly dx: number
  readonly dy: number
  /** Clockwise, radians. */
  readonly angle: number
  readonly flip: boolean
  readonly effect: Effect | undefined
  readonly gain: Rgb
  readonly offset: number
}

const poses: Readonly<Record<Pose, { angle?: number; zoom?: readonly [number, number]; corner?: Rgb }>> = {
  'upside down': { angle: Math.PI },
  'rotated left': { angle: -Math.PI / 2 },
  'rotated right': { angle: Math.PI / 2 },
  small: { zoom: [0.3, 0.5] },
  'close-up': { zoom: [1.6, 2.2] },
  'top left': { zoom: [0.4, 0.55], corner: [-1, -1, 0] },
  'top right': { zoom: [0.4, 0.55], corner: [1, -1, 0] },
  'bottom left': { zoom: [0.4, 0.55], corner: [-1, 1, 0] },
  'bottom right': { zoom: [0.4, 0.55], corner: [1, 1, 0] },
}

/** Shares of pictures; an effect is told in the caption with `told`, so some outlines and grays stay unnamed. */
const effects: readonly { effect: Effect; share: number; told: number }[] = [
  { effect: 'outlined', share: 0.1, told: 0.35 },
  { effect: 'line drawing', share: 0.05, told: 0.5 },
  { effect: '3d', share: 0.1, told: 0.5 },
  { effect: 'gray', share: 0.05, told: 0.6 },
  { effect: 'inverted', share: 0.02, told: 1 },
  { effect: 'silhouette', share: 0.02, told: 0.7 },
  { effect: 'blurry', share: 0.025, told: 0.7 },
  { effect: 'pixelated', share: 0.015, told: 0.7 },
]
const turnShare = 0.1
const placeShare = 0.07
const tellColour = 0.4

/** Draws a view of a picture at random. */
export function randomView(facts: PictureFacts, random: Random): View {
  const named: Named[] = []
  const pose = drawPose(facts, random)
  if (pose !== undefined) named.push({ kind: 'pose', value: pose })
  const { angle, zoom: range = [0.75, 1.35], corner } = pose === undefined ? {} : poses[pose]
  const zoom = range[0] * (range[1] / range[0]) ** random.next()

  const effect = drawEffect(facts, random)
  if (effect?.told) named.push({ kind: 'effect', value: effect.value })

  const background = drawBackground(random)
  const plain = effect?.value === 'inverted' || effect?.value === 'gray'
  if (background.name !== undefined && !plain && random.next() < tellColour)
    named.push({ kind: 'background', value: background.name })
  const ink = drawInk(background.colour, random)
  const inked = !facts.palette && effect === undefined
  if (inked && ink.name !== undefined && ink.name !== 'black' && random.next() < tellColour)
    named.push({ kind: 'ink', value: ink.name })

  // Away from a corner the drawing wanders by a tenth of what is free or hidden, at least by two pixels.
  const room = corner === undefined ? 2 + 12 * Math.abs(1 - zoom) : 1
  const spread = () => (2 * random.next() - 1) * room
  const push = 32 * (1 - zoom)
  return {
    named,
    background: background.colour,
    ink: ink.colour,
    zoom,
    dx: spread() + (corner === undefined ? 0 : corner[0] * push),
    dy: spread() + (corner === undefined ? 0 : corner[1] * push),
    angle: (angle ?? 0) + random.normal() * 0.06,
    flip: facts.flippable && random.next() < 0.4,
    effect: effect?.value,
    gain: [drawGain(random), drawGain(random), drawGain(random)],
    offset: random.normal() * 5,
  }
}

function drawGain(random: Random): number {
  return 1 + 0.03 * random.normal()
}

const turns: readonly Pose[] = ['upside down', 'rotated left', 'rotated right']
const places: readonly Pose[] = ['small', 'small', 'close-up', 'top left', 'top right', 'bottom left', 'bottom right']

function drawPose(facts: PictureFacts, random: Random): Pose | undefined {
  const chance = random.next()
  // What already says left or right would contradict its caption when turned; symbols have no known upright.
  if (chance < turnShare) return facts.flippable ? turns[random.int(turns.length)] : undefined
  return chance < turnShare + placeShare ? places[random.int(places.length)] : undefined
}

function drawEffect(facts: PictureFacts, random: Random): { value: Effect; told: boolean } | undefined {
  let chance = random.next()
  for (const { effect, share, told } of effects) {
    chance -= share
    if (chance >= 0) continue
    // Grays, outlines and silhouettes of a one-colour drawing are that drawing again.
    const visible = facts.palette || effect === 'inverted' || effect === 'blurry' || effect === '3d'
    return visible ? { value: effect, told: random.next() < told } : undefined
  }
  return undefined
}

interface Colour {
  readonly colour: Rgb
  readonly name?: ColourName
}

function drawBackground(random: Random): Colour {
  const chance = random.next()
  if (chance < 0.6) return { colour: [255, 255, 255] }
  if (chance < 0.8) return namedColour(random)
  const pale = chance < 0.92 ? 170 : 0
  const channel = () => pale + random.int(256 - pale)
  return { colour: [channel(), channel(), channel()] }
}

function namedColour(random: Random): Colour {
  const name = colourNames[random.int(colourNames.length)] ?? 'white'
  const [r, g, b] = namedColours[name]
  const shift = () => random.int(31) - 15
  return { colour: [r + shift(), g + shift(), b + shift()], name }
}

/** Mostly black on light and white on dark; always far enough from the background to be seen. */
function drawInk(background: Rgb, random: Random): Colour {
  if (random.next() < 0.35) {
    const colour = namedColour(random)
    if (Math.abs(brightness(colour.colour) - brightness(background)) > 70) return colour
  }
  return brightness(background) > 110
    ? { colour: namedColours.black, name: 'black' }
    : { colour: namedColours.white, name: 'white' }
}

function brightness([r, g, b]: Rgb): number {
  return 0.299 * r + 0.587 * g + 0.114 * b
}
