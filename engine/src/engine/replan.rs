//! Which connection carries which instruments once others are wanted: what stays where it is is not touched.

use crate::venue::Instrument;

/// The instruments of each connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Those that there were, in their order, then new ones. One that is empty ends.
    pub(super) groups: Vec<Vec<Instrument>>,
    /// Of each, the symbols that another one takes over.
    pub(super) moves: Vec<Vec<String>>,
    pub(super) added: usize,
    pub(super) removed: usize,
}

/// Plans for connections that each stand on a core and carry some instruments, of which none may carry more than `most`.
/// Connections are as few as they can be: if the smallest fits into the others on its core, it is dissolved.
pub(super) fn replan(carried: &[(usize, Vec<Instrument>)], wanted: &[Instrument], most: usize) -> Plan {
    let stays = |instruments: &Vec<Instrument>| {
        instruments.iter().filter(|one| wanted.contains(one)).cloned().collect::<Vec<_>>()
    };
    let mut groups: Vec<_> = carried.iter().map(|(_, instruments)| stays(instruments)).collect();
    let removed = carried.iter().map(|(_, instruments)| instruments.len()).sum::<usize>()
        - groups.iter().map(Vec::len).sum::<usize>();
    let new: Vec<_> = wanted.iter().filter(|one| !groups.iter().any(|group| group.contains(one))).cloned().collect();
    let added = new.len();
    for instrument in new {
        // A connection that would end otherwise is as good as another.
        let room = |group: &&mut Vec<Instrument>| group.len() < most;
        match groups.iter_mut().filter(room).max_by_key(|group| most - group.len()) {
            Some(group) => group.push(instrument),
            None => groups.push(vec![instrument]),
        }
    }
    let mut plan = Plan { moves: vec![Vec::new(); groups.len()], groups, added, removed };
    plan.dissolve(carried, most);
    plan
}

impl Plan {
    /// Dissolves connections as long as there are more than are needed.
    fn dissolve(&mut self, carried: &[(usize, Vec<Instrument>)], most: usize) {
        loop {
            let total: usize = self.groups.iter().map(Vec::len).sum();
            let in_use = |groups: &[Vec<Instrument>]| groups.iter().filter(|group| !group.is_empty()).count();
            if in_use(&self.groups) <= total.div_ceil(most) {
                return;
            }
            let core = |number: usize| carried.get(number).map(|(core, _)| *core);
            let smallest = (0..self.groups.len()).filter(|number| !self.groups[*number].is_empty());
            let Some(smallest) = smallest.min_by_key(|number| self.groups[*number].len()) else { return };
            let others = (0..self.groups.len()).filter(|other| {
                *other != smallest && core(*other) == core(smallest) && !self.groups[*other].is_empty()
            });
            let others: Vec<_> = others.collect();
            let room: usize = others.iter().map(|other| most - self.groups[*other].len()).sum();
            if room < self.groups[smallest].len() {
                return;
            }
            for instrument in std::mem::take(&mut self.groups[smallest]) {
                // The fullest, so that others may be dissolved, too.
                let with_room = others.iter().copied().filter(|other| self.groups[*other].len() < most);
                let to = with_room.max_by_key(|other| self.groups[*other].len());
                self.moves[smallest].push(instrument.symbol.clone());
                self.groups[to.expect("there is room")].push(instrument);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instruments(names: &str) -> Vec<Instrument> {
        names.chars().map(|name| Instrument::new(&name.to_string(), format!("{name}/USD"))).collect()
    }

    /// The plan for connections on core 0, each written by its symbols, as `ab c`; and what moves from each.
    fn planned(carried: &str, wanted: &str, most: usize) -> (String, String) {
        let carried: Vec<_> = carried.split(' ').map(|group| (0, instruments(group))).collect();
        let plan = replan(&carried, &instruments(wanted), most);
        let text = |group: &Vec<Instrument>| group.iter().map(|one| one.symbol.as_str()).collect::<String>();
        let groups: Vec<_> = plan.groups.iter().map(text).collect();
        let moves: Vec<_> = plan.moves.iter().map(|moved| moved.concat()).collect();
        (groups.join(" "), moves.join(" "))
    }

    #[test]
    fn what_stays_is_not_touched() {
        let expect = |carried, wanted, most, groups: &str, moves: &str| {
            assert_eq!(planned(carried, wanted, most), (groups.into(), moves.into()), "{carried} -> {wanted}");
        };
        expect("abc", "abc", 3, "abc", "");
        expect("abc", "ac", 3, "ac", "");
        expect("ab", "abc", 3, "abc", "");
        expect("abc", "abcd", 3, "abc d", " ");
        expect("ab cd", "abcdx", 3, "ab cdx", " ");
        expect("ab cd", "acxy", 2, "ay cx", " ");
        // One that is not needed any more is dissolved.
        expect("ab cd", "abc", 3, "abc ", " c");
        expect("ab cd ef", "abce", 4, "abce  ", " c e");
        expect("abc", "xyz", 3, "xyz", "");
    }

    #[test]
    fn what_is_on_another_core_stays() {
        let carried = [(0, instruments("a")), (1, instruments("b"))];
        let plan = replan(&carried, &instruments("ab"), 3);
        assert_eq!(
            (plan.groups, plan.moves.concat()),
            (vec![instruments("a"), instruments("b")], Vec::<String>::new())
        );
    }

    #[test]
    fn added_and_removed_are_counted() {
        let plan = replan(&[(0, instruments("abc"))], &instruments("bcdefg"), 10);
        assert_eq!((plan.added, plan.removed), (4, 1));
        // Another spelling of the same is another instrument.
        let renamed = [Instrument { canonical: "A/USDT".into(), ..instruments("a")[0].clone() }];
        let plan = replan(&[(0, instruments("a"))], &renamed, 10);
        assert_eq!((plan.added, plan.removed, plan.groups[0].clone()), (1, 1, renamed.to_vec()));
    }
}
