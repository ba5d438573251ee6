# SPDX-License-Identifier: GPL-3.0-or-later
"""When are two customers perhaps the same: tax ids, names and mail domains, made comparable."""

import re
import unicodedata

from stdnum import get_cc_module
from stdnum.exceptions import ValidationError

# The tax identifier of a country where Tryton knows several, or where its name is not the country's code and "vat".
_TYPES = {
    "AD": "ad_nrt", "AL": "al_nipt", "AR": "ar_cuit", "AT": "at_uid", "AU": "au_abn", "AZ": "az_voen",
    "BR": "br_cnpj", "BY": "by_unp", "CA": "ca_bn", "CL": "cl_rut", "CN": "cn_uscc", "CO": "co_nit", "CR": "cr_cpj",
    "CZ": "cz_dic", "DK": "dk_cvr", "DO": "do_rnc", "DZ": "dz_nif", "EC": "ec_ruc", "EE": "ee_kmkr", "EG": "eg_tn",
    "ES": "es_nif", "FI": "fi_alv", "FO": "fo_vn", "FR": "fr_tva", "GH": "gh_tin", "GN": "gn_nifp", "GT": "gt_nit",
    "HR": "hr_oib", "HU": "hu_anum", "ID": "id_npwp", "IL": "il_hp", "IN": "in_gstin", "IS": "is_vsk", "IT": "it_iva",
    "JP": "jp_cn", "KE": "ke_pin", "KR": "kr_brn", "LT": "lt_pvm", "LU": "lu_tva", "LV": "lv_pvn", "MA": "ma_ice",
    "MC": "mc_tva", "MD": "md_idno", "ME": "me_pib", "MK": "mk_edb", "MX": "mx_rfc", "MZ": "mz_nuit", "NL": "nl_btw",
    "NO": "no_mva", "NZ": "nz_ird", "PE": "pe_ruc", "PL": "pl_nip", "PT": "pt_nif", "PY": "py_ruc", "RO": "ro_cf",
    "RS": "rs_pib", "RU": "ru_inn", "SG": "sg_uen", "SI": "si_ddv", "SK": "sk_dph", "SM": "sm_coe", "SN": "sn_nimea",
    "SV": "sv_nit", "TH": "th_moa", "TN": "tn_mf", "TR": "tr_vkn", "TW": "tw_ubn", "UA": "ua_edrpou", "US": "us_ein",
    "UY": "uy_rut", "VE": "ve_rif", "VN": "vn_mst", "ZA": "za_tin",
}  # fmt: skip
_UNION = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK XI"
_EU = frozenset(_UNION.split())
# Everybody's mail, so nobody's domain.
_PROVIDERS = """
    126.com 163.com aol.com fastmail.com free.fr freenet.de gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net
    googlemail.com hey.com hotmail.co.uk hotmail.com hotmail.de hotmail.fr icloud.com laposte.net libero.it live.com
    mac.com mail.com mail.ru me.com msn.com naver.com orange.fr outlook.com outlook.de outlook.fr proton.me
    protonmail.com qq.com t-online.de tutanota.com ukr.net wanadoo.fr web.de yahoo.co.jp yahoo.co.uk yahoo.com
    yahoo.de yahoo.fr yandex.com yandex.ru zoho.com
"""
_PUBLIC_MAIL = frozenset(_PROVIDERS.split())
_FORMS = """
    ab ag aps as asa bhd bv co company corp corporation doo eg ek eood ev gbr gesellschaft gmbh group holding inc
    incorporated kft kg kgaa kk limited llc llp lp ltd ltda mbh nv ohg oy oyj pllc plc pte pty pvt sa sab sarl sas
    sasu se sl slu sp spa spzoo srl sro ug und and the
"""
_LEGAL_FORMS = frozenset(_FORMS.split())
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ı": "i"})


def name_key(name):
    """What is left of a company's name without its legal form, accents and punctuation: "" when nothing is."""
    plain = unicodedata.normalize("NFKD", (name or "").casefold().translate(_LETTERS))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    words = re.findall(r"\w+", re.sub(r"[.'’]", "", plain))
    return " ".join([word for word in words if word not in _LEGAL_FORMS] or words)


def mail_domain(email):
    """The domain of a mail address, None where it is one of a public provider or no domain at all."""
    domain = (email or "").rpartition("@")[2].strip().casefold().rstrip(".")
    return domain if re.fullmatch(r"[\w-]+(\.[\w-]+)+", domain) and domain not in _PUBLIC_MAIL else None


def site_domain(url):
    """The domain of a web site, without a leading "www."."""
    host = re.sub(r"^\w+://", "", (url or "").strip().casefold()).split("/")[0].rpartition("@")[2].split(":")[0]
    return host.removeprefix("www.") or None


def tax_identifiers(text, country):
    """The (type, compact code) under which a tax id may be known, the one to keep first. Raises ValueError with a
    reason that repeats no number."""
    prefix = re.sub(r"\W", "", text)[:2].upper()
    prefix = {"EL": "GR"}.get(prefix, prefix)
    if prefix in _EU and prefix != country and prefix.isalpha() and (country is None or country in _EU):
        country = prefix  # registered for VAT elsewhere than where the bill goes
    if country is None:
        raise ValueError("the country of the billing address is needed to tell what kind of tax id it is")
    kind = _TYPES.get(country, f"{country.lower()}_vat")
    module = get_cc_module(*kind.split("_", 1))
    if module is None:
        raise ValueError(f"no kind of tax id is known for {country}")
    if not module.is_valid(text):
        raise ValueError(f"it is not a valid {kind}")
    known = [(kind, _compact(module, text))]
    if country in _EU:
        union = get_cc_module("eu", "vat")
        for candidate in (text, f"{'EL' if country == 'GR' else country}{known[0][1]}"):
            if union.is_valid(candidate):
                known.append(("eu_vat", _compact(union, candidate)))
                break
    return known


def _compact(module, text):
    try:
        return module.compact(text)
    except ValidationError as error:
        raise ValueError("it is not a valid tax id") from error
