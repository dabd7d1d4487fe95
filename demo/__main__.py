"""Generate the demo shop's raw files: ``python -m demo --help``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.base import paths
from pipeline.base.console import say
from pipeline.base.outcome import exit_code_of


def main(arguments: list[str] | None = None) -> int:
    """Generate the shop that the command line asks for; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000, help="how many, 1 to 30,000,000")
    parser.add_argument(
        "--shop", choices=("default", "loyal"), default="default", help="mostly one-time buyers, or loyal ones"
    )
    parser.add_argument("--seed", type=int, default=7, help="another seed, another shop")
    parser.add_argument("--pairs", action="store_true", help="two features act together on who comes back")
    parser.add_argument("--format", choices=("csv", "parquet"), default="csv", help="of the nine files")
    parser.add_argument(
        "--shape",
        choices=("olist", "transactions", "shopify", "woocommerce", "magento", "postgres"),
        default="olist",
        help="whose export the files look like; others than olist come with their shop.yml (postgres: make demo)",
    )
    parser.add_argument("--out", type=Path, help="folder, replaced as a whole; data/demo, or data/demo-SHAPE")
    parser.add_argument("--if-absent", action="store_true", help="do nothing when RAW_DIR, or the folder, holds files")
    parser.add_argument(
        "--contacts", action="store_true", help="write contacts.csv for the shop in --out, nothing else"
    )
    parser.add_argument(
        "--extras", action="store_true", help="write coupons, refunds, costs and channels for the shop in --out"
    )
    parser.add_argument("--further-days", type=int, choices=(90, 180), help="continue the shop in --out, nothing else")
    parser.add_argument(
        "--effect", type=float, default=0.0, help="what a campaign does to its treated, with --further-days"
    )
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: _generate(options))


def _generate(options: argparse.Namespace) -> None:
    if options.if_absent and paths.has_raw_files():
        return
    out = options.out or paths.PROJECT / paths.DEMO_DEFAULT
    if options.shape != "olist":
        from demo.shapes import generate_for_database, generate_shape

        out = options.out or out.with_name(f"{out.name}-{options.shape}")
        if options.shape == "postgres":
            generate_for_database(out, options.orders, seed=options.seed, shop=options.shop)
            return
        generate_shape(out, options.shape, options.orders, seed=options.seed, shop=options.shop)
        say(f"  written into {out}; RAW_DIR={out} make up builds it")
        return
    if options.contacts or options.further_days or options.extras:
        from demo.extras import write_extras
        from demo.further import write_contacts, write_further_days

        if options.contacts:
            write_contacts(out, options.seed)
        if options.further_days:
            write_further_days(out, options.further_days, options.effect, options.seed)
        if options.extras:
            write_extras(out, options.seed)
        return
    from demo.shop import generate

    generate(out, options.orders, seed=options.seed, shop=options.shop, file_format=options.format, pairs=options.pairs)


if __name__ == "__main__":
    sys.exit(main())
