"""A certificate authority for the tests, and certificates of every kind."""

import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOST = "turn.example.com"


def make_key(kind):
    """kind: "ecdsa" (P-256), "p384", "rsa" (2048), "rsa1024"."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:] or 2048))
    return ec.generate_private_key(ec.SECP384R1() if kind == "p384" else ec.SECP256R1())


def key_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def certificate_pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _alternative_name(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Identity:
    """A key, its certificate, and the chain as PEM text."""

    def __init__(self, key, certificate, above=()):
        self.key, self.certificate = key, certificate
        self.key_pem = key_pem(key)
        self.chain_pem = "".join(map(certificate_pem, (certificate, *above)))

    @property
    def expires_s(self):
        return int(self.certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc).timestamp())

    @property
    def serial(self):
        return self.certificate.serial_number

    def write(self, directory, name):
        """The names of two files, each written in one step: (chain, key)."""
        paths = []
        for ending, text in (("crt", self.chain_pem), ("key", self.key_pem)):
            path = os.path.join(directory, f"{name}.{ending}")
            with open(path + ".new", "w") as file:
                file.write(text)
            os.rename(path + ".new", path)
            paths.append(path)
        return tuple(paths)


class Authority:
    """`authority.file` is what clients trust."""

    def __init__(self, directory):
        self.key = make_key("ecdsa")
        self.certificate = self._sign(self.key.public_key(), "test root", authority=True)
        self.middle_key = make_key("ecdsa")
        self.middle = self._sign(self.middle_key.public_key(), "test middle", authority=True)
        self.file = os.path.join(directory, "authority.crt")
        with open(self.file, "w") as file:
            file.write(certificate_pem(self.certificate))

    def identity(self, *names, kind="ecdsa", first_day=-1, days=90, chain=False):
        """A leaf for these names; with a chain an intermediate certificate stands between."""
        key = make_key(kind)
        leaf = self._sign(key.public_key(), (names or (HOST,))[0], names or (HOST,), first_day, days, middle=chain)
        return Identity(key, leaf, (self.middle,) if chain else ())

    def _sign(self, public_key, subject, names=(), first_day=-1, days=90, authority=False, middle=False):
        start = datetime.datetime.utcnow().replace(microsecond=0) + datetime.timedelta(days=first_day)
        issuer = self.middle.subject if middle else self.certificate.subject if hasattr(self, "certificate") else None
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer or name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            alternatives = [_alternative_name(one) for one in (*names, "127.0.0.1", "::1")]
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        return builder.sign(self.middle_key if middle else self.key, hashes.SHA256())
