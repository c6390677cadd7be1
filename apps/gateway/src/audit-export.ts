import { auditFilter, auditSelection, type AuditSelection } from '@meadow/api';
import { auditRow, type AuditRow } from '@meadow/contract';
import type { FastifyInstance } from 'fastify';
import { prettifyError } from 'zod';
import { isoTime, numbersIn, serveExport } from './export.ts';

/** Pages of records, newest first. Ends with an ApiError when one of them is not there in time. */
export type AuditPages = (
  selection: AuditSelection,
  signal: AbortSignal,
) => AsyncIterator<readonly AuditRow[], unknown>;

const COLUMNS = Object.keys(auditRow.shape) as (keyof AuditRow)[];

/** Serves every record that a filter lets through, as `/export/audit.csv` and `/export/audit.ndjson`. @param now Unix seconds */
export function serveAuditExport(app: FastifyInstance, pagesOf: AuditPages, now: () => number): void {
  serveExport<AuditRow>(
    app,
    {
      name: 'audit',
      columns: COLUMNS,
      cell(row, column) {
        switch (column) {
          case 'at':
            return isoTime(row.at);
          case 'targets':
            return JSON.stringify(row.targets);
          default:
            return row[column];
        }
      },
      ask({ outcomes, ...query }, signal) {
        // joined by commas, or named one by one
        const names = outcomes === undefined ? undefined : [outcomes].flat().flatMap((each) => each.split(','));
        const filter = auditFilter.safeParse({
          ...numbersIn(query, ['from', 'to']),
          ...(names === undefined ? {} : { outcomes: names }),
        });
        if (!filter.success) return { refused: prettifyError(filter.error) };
        return { cluster: filter.data.cluster, pages: pagesOf(auditSelection(filter.data, now()), signal) };
      },
    },
    now,
  );
}
