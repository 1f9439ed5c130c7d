// A carrier made of the npm package smpp: `node smsc.js PORT`.
//
// Tells what it takes as lines of JSON on stdout and answers each submit_sm with a hexadecimal id
// and, where one is asked for, a receipt with the same id in decimal. Each line of JSON on stdin,
// {source, destination, parts: [{udh, text, coding}]}, comes from a phone. Ends with its stdin.
'use strict';

const readline = require('readline');
const smpp = require('smpp');

const FIRST_ID = 0xabc00;
const RECEIPT = 0x04;
const phones = [];
let taken = 0;

function tell(fact) {
	process.stdout.write(JSON.stringify(fact) + '\n');
}

function deliver(session, fields) {
	session.deliver_sm(fields, (pdu) => {
		tell({ type: 'answered', status: pdu.command_status, esm_class: fields.esm_class || 0 });
	});
}

function receipt(submitted, id) {
	return {
		source_addr: submitted.destination_addr,
		destination_addr: submitted.source_addr,
		esm_class: RECEIPT,
		data_coding: 0,
		short_message:
			`id:${id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 ` +
			'stat:DELIVRD err:000 text:',
	};
}

function take(session, pdu) {
	const number = FIRST_ID + taken++;
	tell({
		type: 'taken',
		source: pdu.source_addr,
		destination: pdu.destination_addr,
		coding: pdu.data_coding,
		udh: (pdu.short_message.udh || []).map((element) => element.toString('hex')),
		text: pdu.short_message.message,
	});
	session.send(pdu.response({ message_id: number.toString(16) }));
	if (pdu.registered_delivery & 1) {
		deliver(session, receipt(pdu, number));
	}
}

const server = smpp.createServer((session) => {
	session.on('bind_transceiver', (pdu) => {
		tell({ type: 'bound', system_id: pdu.system_id, password: pdu.password });
		session.send(pdu.response({ system_id: 'npm' }));
		phones.push(session);
	});
	session.on('submit_sm', (pdu) => take(session, pdu));
	session.on('enquire_link', (pdu) => session.send(pdu.response()));
	session.on('unbind', (pdu) => {
		tell({ type: 'unbound' });
		session.send(pdu.response());
		session.close();
	});
	session.on('error', (error) => tell({ type: 'error', message: String(error) }));
});

server.listen(Number(process.argv[2]), '127.0.0.1', () => tell({ type: 'listening' }));

readline.createInterface({ input: process.stdin })
	.on('line', (line) => {
		const { source, destination, parts } = JSON.parse(line);
		for (const { udh, text, coding } of parts) {
			deliver(phones[0], {
				source_addr: source,
				destination_addr: destination,
				data_coding: coding,
				short_message: { udh: Buffer.from(udh, 'hex'), message: text },
			});
		}
	})
	.on('close', () => process.exit());
