import { shotsRank } from '../../data/fewshot.ts'
import type { MeasuredRecord } from '../../trained/record.ts'
import { signed } from '../bar-chart.ts'
import { groupBy, unique } from '../canonical.ts'
import { cellText, percentText, subjectsOf, usualSeeds } from '../cells.ts'
import { type Block, groupedTable, heading, list, text } from '../document.ts'
import type { Group } from '../groups.ts'
import {
  approximations,
  differencesFromPaper,
  PUBLISHED_PICTURES,
  PUBLISHED_SOURCE,
  paperVariant,
  publishedAccuracy,
} from '../published.ts'
import type { Reference } from '../reference.ts'

/** Ours beside the published figures, where the setting is the paper's. */
export function publishedSection(group: Group, reference: Reference): Block[] {
  const usual = usualSeeds(group)
  const lines = subjectsOf(group).flatMap((subject) =>
    group.rows.flatMap((row) =>
      group.shots.flatMap((shots) => {
        const cell = subject.cell(row, shots)
        const published = reference.of(subject, row, shots)
        if (cell === undefined || published === undefined) return []
        const figures = [cellText(cell, usual), percentText(published), signed(cell.mean - published, 1)]
        return [[subject.title, row.label, String(shots), ...figures]]
      }),
    ),
  )
  if (lines.length === 0) return []
  const head = ['data set', 'method', 'shots', 'ours', 'published', 'difference']
  return [
    heading(3, 'Comparison with the published figures'),
    text(`${PUBLISHED_SOURCE} ${PUBLISHED_PICTURES}`),
    ...notes(group, reference),
    groupedTable(head, 2, lines),
  ]
}

function notes({ model }: Group, reference: Reference): Block[] {
  const weights = `That ${model.name} (fingerprint ${model.fingerprint}) has OpenAI's weights is judged by its name.`
  return [list([weights, ...reference.notes.map((note) => `Ours: ${note}.`)])]
}

/** Asked for: the published figures of these data sets and methods, whatever the setting of the runs. */
export function orientationSection(groups: readonly Group[]): Block[] {
  const runs = groups.filter(({ split }) => split === 'all').flatMap(({ rows }) => rows.flatMap((row) => row.runs))
  const known = runs.filter((run) => publishedAccuracy(run) !== undefined)
  const other = known.filter((run) => differencesFromPaper(run).length > 0)
  if (other.length === 0) {
    return known.length > 0
      ? []
      : [heading(2, 'Published figures'), text('There are no published figures for these data sets and methods.')]
  }
  const shots = unique(other.map((run) => run.shots)).sort((a, b) => shotsRank(a) - shotsRank(b))
  const shown = groupBy(other, (run) => `${run.dataset}\n${paperVariant(run)}`)
  const lines = [...shown.values()].flatMap(([run]) => {
    if (run === undefined) return []
    const figures = shots.map((count) => publishedAccuracy({ ...run, shots: count }))
    const cells = figures.map((value) => (value === undefined ? '' : percentText(value)))
    return [[run.dataset, variantTitle(run), ...cells]]
  })
  const reasons = groupBy(other, (run) => differencesFromPaper(run).join('; '))
  const differences = [...reasons].map(([why, of]) => `${unique(of.map(({ title }) => title)).join('; ')}: ${why}.`)
  return [
    heading(2, 'Published with RN50, for orientation'),
    text(
      `These figures come from other settings; compared with those above, only the shape of the curves means anything. ${PUBLISHED_SOURCE} ${PUBLISHED_PICTURES}`,
    ),
    groupedTable(['data set', 'method', ...shots.map(String)], 2, lines),
    text('How the runs of this report differ from the published ones:'),
    list([...differences, ...unique(other.flatMap(approximations)).map((note) => `${note}.`)]),
  ]
}

/** As the paper calls it, whatever settings of ours. */
function variantTitle(run: MeasuredRecord): string {
  const variant = paperVariant(run) ?? run.title
  return run.method === 'coop' ? `CoOp, ${variant}` : variant
}
