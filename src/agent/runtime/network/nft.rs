//! nf_tables: one atomic batch of tables, chains, sets and rules.
//!
//! Only the expressions that the Service proxy needs. Numbers are those of
//! linux/netfilter/nf_tables.h. A batch either takes effect as a whole or not at all.

use super::super::error::{RuntimeError, network};
use super::netlink::{APPEND, Attributes, Batch, CREATE, Socket};
use std::net::Ipv4Addr;

/// Registers hold 4 bytes each; three in a row make a concatenated key.
pub(super) const REGISTER: u32 = 8;
/// The same registers as one of 16 bytes, as keys and map data name them.
pub(super) const WIDE: u32 = 1;

const SUBSYSTEM: u16 = 10;
const BEGIN: u16 = 16;
const END: u16 = 17;
const FAMILY_IPV4: u8 = 2;
const NEW_TABLE: u16 = 0;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const NEW_SET: u16 = 9;
const NEW_ELEMENTS: u16 = 12;
const SET_IS_MAP: u32 = 8;
const VERDICT_TYPE: u32 = 0xffff_ff00;
/// An attribute's length has 16 bits; this many elements stay far below.
const ELEMENTS_AT_A_TIME: usize = 256;

/// Where a base chain hangs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hook {
    /// `nat` or `filter`.
    pub(super) kind: &'static str,
    /// 0 prerouting, 1 input, 2 forward, 3 output, 4 postrouting.
    pub(super) number: u32,
    pub(super) priority: i32,
}

/// What a map or set holds beside its keys.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holds {
    Keys,
    /// Chains to go to.
    Chains,
    /// Values of this many bytes.
    Values(u32),
}

/// The value of one element.
#[derive(Clone, Debug)]
pub(super) enum Value {
    None,
    Chain(String),
    Bytes(Vec<u8>),
}

/// A ruleset of one table, to be put in the place of what the table held.
#[derive(Debug)]
pub(super) struct Ruleset {
    table: String,
    batch: Batch,
}

impl Ruleset {
    /// Begins a batch that removes the table if there is one, and makes it anew.
    pub(super) fn replace(table: &str) -> Ruleset {
        let mut ruleset = Ruleset::begin(table);
        ruleset.drop_table();
        ruleset.push("make the table", NEW_TABLE, CREATE, &Attributes::default().text(1, table));
        ruleset
    }

    /// Begins a batch that leaves no such table.
    pub(super) fn remove(table: &str) -> Ruleset {
        let mut ruleset = Ruleset::begin(table);
        ruleset.drop_table();
        ruleset
    }

    fn begin(table: &str) -> Ruleset {
        let mut batch = Batch::default();
        batch.plain(BEGIN, 0, &general_header(0, SUBSYSTEM), &Attributes::default());
        Ruleset { table: table.to_owned(), batch }
    }

    /// Removing what is absent fails, so it is made first.
    fn drop_table(&mut self) {
        let name = Attributes::default().text(1, &self.table);
        self.push("make the table", NEW_TABLE, CREATE, &name);
        self.push("empty the table", DELETE_TABLE, 0, &name);
    }

    /// Adds a chain, with a hook when packets are to enter it by themselves.
    pub(super) fn chain(&mut self, name: &str, hook: Option<Hook>) {
        const ACCEPT: u32 = 1;
        let mut chain = Attributes::default().text(1, &self.table).text(3, name);
        if let Some(hook) = hook {
            let place =
                Attributes::default().big(1, hook.number).big(2, hook.priority.cast_unsigned());
            chain = chain.nest(4, &place).big(5, ACCEPT).text(7, hook.kind);
        }
        self.push(&format!("make chain {name}"), NEW_CHAIN, CREATE, &chain);
    }

    /// Adds a rule at the end of a chain.
    pub(super) fn rule(&mut self, chain: &str, rule: &Rule) {
        let rule = Attributes::default().text(1, &self.table).text(2, chain).nest(4, &rule.0);
        self.push(&format!("make a rule in {chain}"), NEW_RULE, CREATE | APPEND, &rule);
    }

    /// Adds a set or map with its elements. `key_type` is what `nft list` shows the key as.
    pub(super) fn set(
        &mut self,
        name: &str,
        key_type: u32,
        key_length: u32,
        holds: Holds,
        elements: &[(Vec<u8>, Value)],
    ) {
        // names are unique in a table; the number is only for anonymous sets, yet must be there
        const NUMBER: u32 = 1;
        let flags = if matches!(holds, Holds::Keys) { 0 } else { SET_IS_MAP };
        let mut set = Attributes::default()
            .text(1, &self.table)
            .text(2, name)
            .big(3, flags)
            .big(4, key_type)
            .big(5, key_length)
            .big(10, NUMBER);
        match holds {
            Holds::Keys => {}
            Holds::Chains => set = set.big(6, VERDICT_TYPE),
            Holds::Values(length) => set = set.big(6, address_and_port_type()).big(7, length),
        }
        self.push(&format!("make set {name}"), NEW_SET, CREATE, &set);
        for some in elements.chunks(ELEMENTS_AT_A_TIME) {
            let list = some.iter().fold(Attributes::default(), |list, (key, value)| {
                let mut element =
                    Attributes::default().nest(1, &Attributes::default().bytes(1, key));
                match value {
                    Value::None => {}
                    Value::Chain(chain) => element = element.nest(2, &verdict(GOTO, chain)),
                    Value::Bytes(bytes) => {
                        element = element.nest(2, &Attributes::default().bytes(1, bytes));
                    }
                }
                list.nest(1, &element)
            });
            let list = Attributes::default().text(1, &self.table).text(2, name).nest(3, &list);
            self.push(&format!("fill set {name}"), NEW_ELEMENTS, CREATE, &list);
        }
    }

    /// Puts it into effect.
    pub(super) fn commit(mut self) -> Result<(), RuntimeError> {
        // Faults are told in any case. One answer more is enough, and comes after all of them:
        // thousands would not fit the socket.
        self.batch.acknowledge_last();
        self.batch.plain(END, 0, &general_header(0, SUBSYSTEM), &Attributes::default());
        let socket = Socket::open(Some(rustix::net::netlink::NETFILTER))
            .map_err(network("open an nf_tables socket"))?;
        socket.transact(&self.batch).map_err(|refused| network(refused.label)(refused.error))
    }

    fn push(&mut self, label: &str, message: u16, flags: u16, attributes: &Attributes) {
        let kind = (SUBSYSTEM << 8) | message;
        self.batch.push_silent(label, kind, flags, &general_header(FAMILY_IPV4, 0), attributes);
    }
}

/// How `nft list` shows a concatenation: six bits for each part.
pub(super) fn address_protocol_port_type() -> u32 {
    (IPV4_TYPE << 12) | (PROTOCOL_TYPE << 6) | PORT_TYPE
}

/// The same for `protocol . port`.
pub(super) fn protocol_port_type() -> u32 {
    (PROTOCOL_TYPE << 6) | PORT_TYPE
}

/// The same for two addresses.
pub(super) fn address_pair_type() -> u32 {
    (IPV4_TYPE << 6) | IPV4_TYPE
}

/// A number in the host's byte order.
pub(super) const NUMBER_TYPE: u32 = 4;

fn address_and_port_type() -> u32 {
    (IPV4_TYPE << 6) | PORT_TYPE
}

const IPV4_TYPE: u32 = 7;
const PROTOCOL_TYPE: u32 = 12;
const PORT_TYPE: u32 = 13;

const JUMP: i32 = -3;
const GOTO: i32 = -4;

fn verdict(code: i32, chain: &str) -> Attributes {
    let verdict = Attributes::default().big(1, code.cast_unsigned()).text(2, chain);
    Attributes::default().nest(2, &verdict)
}

/// `struct nfgenmsg`.
fn general_header(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}

/// A rule: expressions that a packet goes through until one does not match.
#[derive(Clone, Debug, Default)]
pub(super) struct Rule(Attributes);

impl Rule {
    fn add(self, name: &str, data: &Attributes) -> Rule {
        Rule(self.0.nest(1, &Attributes::default().text(1, name).nest(2, data)))
    }

    /// Loads a part of the network header (`base` 1) or the transport header (2).
    fn load(self, register: u32, base: u32, offset: u32, length: u32) -> Rule {
        let data =
            Attributes::default().big(1, register).big(2, base).big(3, offset).big(4, length);
        self.add("payload", &data)
    }

    pub(super) fn load_source(self, register: u32) -> Rule {
        self.load(register, 1, 12, 4)
    }

    pub(super) fn load_destination(self, register: u32) -> Rule {
        self.load(register, 1, 16, 4)
    }

    pub(super) fn load_destination_port(self, register: u32) -> Rule {
        self.load(register, 2, 2, 2)
    }

    pub(super) fn load_protocol(self, register: u32) -> Rule {
        const PROTOCOL: u32 = 16;
        self.add("meta", &Attributes::default().big(1, register).big(2, PROTOCOL))
    }

    fn compare(self, equal: bool, bytes: &[u8]) -> Rule {
        let value = Attributes::default().bytes(1, bytes);
        let data = Attributes::default().big(1, REGISTER).big(2, u32::from(!equal)).nest(3, &value);
        self.add("cmp", &data)
    }

    fn mask(self, mask: &[u8], length: u32) -> Rule {
        let zero = vec![0; mask.len()];
        let data = Attributes::default()
            .big(1, REGISTER)
            .big(2, REGISTER)
            .big(3, length)
            .nest(4, &Attributes::default().bytes(1, mask))
            .nest(5, &Attributes::default().bytes(1, &zero));
        self.add("bitwise", &data)
    }

    /// Goes on only for addresses in (or outside of) a network.
    pub(super) fn source_in(self, network: Ipv4Addr, mask: Ipv4Addr) -> Rule {
        self.load_source(REGISTER).mask(&mask.octets(), 4).compare(true, &network.octets())
    }

    pub(super) fn destination_in(self, network: Ipv4Addr, mask: Ipv4Addr, inside: bool) -> Rule {
        self.load_destination(REGISTER).mask(&mask.octets(), 4).compare(inside, &network.octets())
    }

    /// Goes on only for packets that leave (or do not leave) through a link.
    pub(super) fn leaves_through(self, link: &str, equal: bool) -> Rule {
        const OUTPUT_NAME: u32 = 7;
        let mut name = [0; 16];
        name[..link.len()].copy_from_slice(link.as_bytes());
        self.add("meta", &Attributes::default().big(1, REGISTER).big(2, OUTPUT_NAME))
            .compare(equal, &name)
    }

    /// Goes on only for packets to an address of this host.
    pub(super) fn addressed_here(self) -> Rule {
        const KIND_OF_ADDRESS: u32 = 3;
        const OF_THE_DESTINATION: u32 = 2;
        const LOCAL: u32 = 2;
        let data = Attributes::default()
            .big(1, REGISTER)
            .big(2, KIND_OF_ADDRESS)
            .big(3, OF_THE_DESTINATION);
        self.add("fib", &data).compare(true, &LOCAL.to_ne_bytes())
    }

    /// Goes on only for connections whose destination was changed.
    pub(super) fn was_redirected(self) -> Rule {
        const STATUS: u32 = 2;
        const DESTINATION_CHANGED: u32 = 0x20;
        self.add("ct", &Attributes::default().big(1, REGISTER).big(2, STATUS))
            .mask(&DESTINATION_CHANGED.to_ne_bytes(), 4)
            .compare(false, &0_u32.to_ne_bytes())
    }

    /// Goes on only when the registers are a key of the set.
    pub(super) fn found_in(self, set: &str) -> Rule {
        self.add("lookup", &Attributes::default().text(1, set).big(2, WIDE).big(4, 0))
    }

    /// Goes to the chain that the map has for the registers.
    pub(super) fn go_by(self, map: &str) -> Rule {
        const VERDICT: u32 = 0;
        let data = Attributes::default().text(1, map).big(2, WIDE).big(3, VERDICT);
        self.add("lookup", &data)
    }

    /// Replaces the registers by what the map has for them.
    pub(super) fn translate(self, map: &str) -> Rule {
        let data = Attributes::default().text(1, map).big(2, WIDE).big(3, WIDE);
        self.add("lookup", &data)
    }

    /// Puts a random number below `limit` into the register.
    pub(super) fn random(self, limit: u32) -> Rule {
        const RANDOM: u32 = 1;
        let data = Attributes::default().big(1, REGISTER).big(2, limit).big(3, RANDOM).big(4, 0);
        self.add("numgen", &data)
    }

    /// Puts a number below `limit` that depends on the sender alone into the register.
    pub(super) fn by_sender(self, limit: u32) -> Rule {
        const SEED: u32 = 0x7768_6172;
        let data = Attributes::default()
            .big(1, REGISTER)
            .big(2, REGISTER)
            .big(3, 4)
            .big(4, limit)
            .big(5, SEED)
            .big(6, 0)
            .big(7, 0);
        self.load_source(REGISTER).add("hash", &data)
    }

    /// Redirects to the address and port in the registers.
    pub(super) fn redirect(self) -> Rule {
        const DESTINATION: u32 = 1;
        let data = Attributes::default()
            .big(1, DESTINATION)
            .big(2, u32::from(FAMILY_IPV4))
            .big(3, REGISTER)
            .big(4, REGISTER)
            .big(5, REGISTER + 1)
            .big(6, REGISTER + 1);
        self.add("nat", &data)
    }

    /// Sends packets out with this host's address.
    pub(super) fn masquerade(self) -> Rule {
        self.add("masq", &Attributes::default())
    }

    /// Answers that nothing listens there.
    pub(super) fn reject(self) -> Rule {
        const UNREACHABLE: u32 = 0;
        const PORT: u8 = 3;
        self.add("reject", &Attributes::default().big(1, UNREACHABLE).bytes(2, &[PORT]))
    }

    /// Goes through another chain and comes back.
    pub(super) fn jump(self, chain: &str) -> Rule {
        const VERDICT: u32 = 0;
        self.add("immediate", &Attributes::default().big(1, VERDICT).nest(2, &verdict(JUMP, chain)))
    }
}

/// Whether a table of this name exists.
pub(super) fn exists(table: &str) -> Result<bool, RuntimeError> {
    const GET_TABLE: u16 = 1;
    let socket = Socket::open(Some(rustix::net::netlink::NETFILTER))
        .map_err(network("open an nf_tables socket"))?;
    let kind = (SUBSYSTEM << 8) | GET_TABLE;
    let tables = socket
        .dump(kind, &general_header(FAMILY_IPV4, 0), &Attributes::default())
        .map_err(network("list tables"))?;
    let name = [table.as_bytes(), b"\0"].concat();
    Ok(tables.iter().any(|body| {
        super::netlink::attributes(body.get(4..).unwrap_or_default())
            .iter()
            .any(|(kind, value)| *kind == 1 && *value == name)
    }))
}
