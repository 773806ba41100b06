// A PostgreSQL with pgvector, on a socket in a folder: `node pglite.mjs FOLDER`. Says 'ready' once it
// takes connections; it serves one client, and no second one after it.
import { PGlite } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';

const db = await PGlite.create({ extensions: { vector } });
await db.exec('CREATE EXTENSION vector');
const server = new PGLiteSocketServer({ db, path: `${process.argv[2]}/.s.PGSQL.5432` });
await server.start();
console.log('ready');
