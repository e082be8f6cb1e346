"""Evidence: what a billing run was made from and what it wrote, for who has to believe it."""

from loaders.evidence.pack import EvidencePack, write_pack
from loaders.evidence.verify import Finding, Verification, verify_pack

__all__ = ["EvidencePack", "Finding", "Verification", "verify_pack", "write_pack"]
