// An object store that speaks the protocol of Amazon S3, on a socket in a folder: `node s3.mjs FOLDER`.
// Says 'ready' once it takes requests for its bucket 'artifacts'.
import { mkdirSync } from 'node:fs';
import http from 'node:http';
import S3rver from 's3rver';

const folder = process.argv[2];
mkdirSync(`${folder}/buckets`);
const server = new S3rver({
    directory: `${folder}/buckets`,
    silent: true,
    configureBuckets: [{ name: 'artifacts' }],
});
await server.configureBuckets();
http.createServer(server.callback()).listen(`${folder}/s3`, () => console.log('ready'));
