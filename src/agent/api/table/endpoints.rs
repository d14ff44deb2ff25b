//! Columns of Endpoints and `EndpointSlices`.

use super::cell::{age, name, or_none};
use super::{AGE, Column, Columns, NAME};

/// So many are shown before the rest is counted.
const SHOWN: usize = 3;

pub(crate) static ENDPOINTS: Columns = Columns {
    columns: &[
        NAME,
        Column::text(
            "Endpoints",
            "The set of all endpoints is the union of all subsets. Addresses are placed into \
             subsets according to the IPs they share. A single address with multiple ports, some \
             of which are ready and some of which are not (because they come from different \
             containers) will result in the address being displayed in different subsets for the \
             different ports. No address will appear in both Addresses and NotReadyAddresses in \
             the same subset. Sets of addresses and ports that comprise a service.",
        ),
        AGE,
    ],
    cells: |object, now| {
        let mut found = Vec::new();
        for subset in object.items_at(&["subsets"]) {
            let ips = subset.items_at(&["addresses"]).iter().filter_map(|it| it.str_at(&["ip"]));
            let ports = subset.items_at(&["ports"]);
            for ip in ips {
                let numbers = ports.iter().filter_map(|port| port.i64_at(&["port"]));
                found.extend(numbers.map(|port| format!("{ip}:{port}")));
                if ports.is_empty() {
                    found.push(ip.to_owned());
                }
            }
        }
        vec![name(object), or_none(&few(&found)).into(), age(object, now)]
    },
};

pub(crate) static ENDPOINT_SLICE: Columns = Columns {
    columns: &[
        NAME,
        Column::text(
            "AddressType",
            "addressType specifies the type of address carried by this EndpointSlice. All \
             addresses in this slice must be the same type. This field is immutable after \
             creation. The following address types are currently supported: * IPv4: Represents an \
             IPv4 Address. * IPv6: Represents an IPv6 Address. * FQDN: Represents a Fully \
             Qualified Domain Name.",
        ),
        Column::text(
            "Ports",
            "ports specifies the list of network ports exposed by each endpoint in this slice. \
             Each port must have a unique name. Each slice may include a maximum of 100 ports.",
        ),
        Column::text(
            "Endpoints",
            "endpoints is a list of unique endpoints in this slice. Each slice may include a \
             maximum of 1000 endpoints.",
        ),
        AGE,
    ],
    cells: |object, now| {
        let ports = object.items_at(&["ports"]).iter();
        let ports = ports.map(|port| match (port.i64_at(&["port"]), port.str_at(&["name"])) {
            (Some(number), _) => number.to_string(),
            (None, Some(name)) if !name.is_empty() => name.to_owned(),
            _ => "*".to_owned(),
        });
        let addresses = object.items_at(&["endpoints"]).iter();
        let addresses = addresses.flat_map(|endpoint| endpoint.items_at(&["addresses"]));
        let (ports, addresses): (Vec<String>, Vec<String>) =
            (ports.collect(), addresses.filter_map(|it| it.as_str().map(str::to_owned)).collect());
        let or_unset = |text: String| if text.is_empty() { "<unset>".to_owned() } else { text };
        vec![
            name(object),
            object.str_at(&["addressType"]).unwrap_or_default().into(),
            or_unset(few(&ports)).into(),
            or_unset(few(&addresses)).into(),
            age(object, now),
        ]
    },
};

/// The first few of a list, and how many there are more.
fn few(all: &[String]) -> String {
    let shown = all.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(",");
    match all.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
}
