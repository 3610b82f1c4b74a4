"""Search, look at the result, relax structures of your own, draw new ones.

Run it with ``python examples/first_steps.py``; the search takes a minute.
"""

from __future__ import annotations

from ase.build import bulk

import nucleate as nc


def main() -> None:
    run = nc.predict("SrTiO3", max_atoms=10, model="chgnet", time="1m")
    print(run.structures)

    atoms = run.best.to_ase()
    print(atoms.get_potential_energy(), "eV,", abs(atoms.get_forces()).max(), "eV/Å at most")
    for row in run.to_dicts()[:3]:
        print(row["rank"], row["space_group_0p1_angstrom"], row["enthalpy_ev_per_atom"])
    run.plot_trajectory().savefig("trajectory.png")
    print("files are in", run.export("srtio3"))

    own = [atoms, bulk("MgO", "rocksalt", 4.2)]
    for outcome in nc.relax(own, model="chgnet", pressure_gpa=5.0):
        print(outcome)

    pool = nc.generate("Ca3Ti2O7", "symmetric", n=5, max_atoms=24, seed=1)
    print([candidate.crystal for candidate in pool])


if __name__ == "__main__":
    main()
