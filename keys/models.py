"""The two tables of this package. Private to it; other packages see values, never rows."""

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, MetaData, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from keys.columns import Sealed
from keys.envelope import SealedBytes


class Base(DeclarativeBase):
    """Base of this package's tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class ServiceKey(Base):
    """A key of the service itself, wrapped by the key file's key. There is one, "master"."""

    __tablename__ = "keys_service_key"

    name: Mapped[str] = mapped_column(Text, primary_key=True, comment="What the key is for; pii=no")
    key_id: Mapped[str] = mapped_column(Text, comment="Id of the key file that wraps it; pii=no")
    wrapped: Mapped[bytes] = mapped_column(
        LargeBinary, comment="The key, wrapped by the key file's key; pii=no"
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="Unix seconds; pii=no")


class SigningKey(Base):
    """A signing key through its life: next, current, previous, retired. Rows are kept, private halves are not."""

    __tablename__ = "keys_signing_key"
    __table_args__ = (
        CheckConstraint("state IN ('next', 'current', 'previous', 'retired')", name="state"),
        CheckConstraint("state <> 'next' OR activated_at IS NULL", name="next_has_not_signed"),
        CheckConstraint("state NOT IN ('current', 'previous') OR activated_at IS NOT NULL", name="activated"),
        CheckConstraint("state <> 'previous' OR demoted_at IS NOT NULL", name="demoted"),
        CheckConstraint("(state = 'retired') = (retired_at IS NOT NULL)", name="retired"),
        # A key that will not sign again cannot be stolen: its private half is gone.
        CheckConstraint(
            "(state IN ('next', 'current')) = (private_sealed IS NOT NULL)", name="private_while_signing"
        ),
        *(
            Index(
                f"uq_keys_signing_key_{state}",
                "use",
                "alg",
                unique=True,
                sqlite_where=text(f"state = '{state}'"),
                postgresql_where=text(f"state = '{state}'"),
            )
            for state in ("next", "current")
        ),
    )

    kid: Mapped[str] = mapped_column(Text, primary_key=True, comment="RFC 7638 thumbprint; pii=no")
    alg: Mapped[str] = mapped_column(Text, comment="JWS algorithm, such as ES256; pii=no")
    use: Mapped[str] = mapped_column(Text, comment="What it signs: tokens, log or receipts; pii=no")
    state: Mapped[str] = mapped_column(Text, comment="next, current, previous or retired; pii=no")
    public_jwk: Mapped[str] = mapped_column(Text, comment="Public key as published, JSON (RFC 7517); pii=no")
    private_sealed: Mapped[SealedBytes | None] = mapped_column(
        Sealed, comment="Private key, PKCS 8 PEM, sealed; destroyed once it no longer signs; pii=no"
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="Made and published, Unix seconds; pii=no")
    activated_at: Mapped[int | None] = mapped_column(BigInteger, comment="Signs since, Unix seconds; pii=no")
    demoted_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="Signs no more since, Unix seconds; pii=no"
    )
    retired_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="Unpublished since, Unix seconds; pii=no"
    )
