using System.Buffers.Binary;
using System.IO.Hashing;
using System.Security.Cryptography;
using System.Text;

namespace Gradus.Training.Data.Cleaning;

/// <summary>How texts are hashed.</summary>
public enum FingerprintKind
{
    /// <summary>xxHash64, or xxHash32 for 32 bits (Collet), seed 0.</summary>
    XxHash,

    /// <summary>The first bytes of SHA-1.</summary>
    Sha1,
}

/// <summary>Numbers that equal texts share and others hardly ever do.</summary>
/// <param name="Kind">The hash.</param>
/// <param name="Bits">64 or 32.</param>
public readonly record struct Fingerprint(FingerprintKind Kind = FingerprintKind.XxHash, int Bits = 64)
{
    /// <summary>The number of a text, by its UTF-8.</summary>
    /// <param name="text">The text.</param>
    public ulong Of(ReadOnlySpan<char> text)
    {
        int most = Encoding.UTF8.GetMaxByteCount(text.Length);
        Span<byte> bytes = most <= 1024 ? stackalloc byte[most] : new byte[Encoding.UTF8.GetByteCount(text)];
        return Of(bytes[..Encoding.UTF8.GetBytes(text, bytes)]);
    }

    /// <summary>The number of bytes.</summary>
    /// <param name="bytes">The bytes.</param>
    public ulong Of(ReadOnlySpan<byte> bytes) => Kind == FingerprintKind.Sha1 ? Sha1(bytes) : Bits == 32 ? XxHash32.HashToUInt32(bytes) : XxHash64.HashToUInt64(bytes);

    [System.Diagnostics.CodeAnalysis.SuppressMessage("Security", "CA5350", Justification = "It tells texts apart and protects nothing.")]
    private ulong Sha1(ReadOnlySpan<byte> bytes)
    {
        Span<byte> digest = stackalloc byte[SHA1.HashSizeInBytes];
        SHA1.HashData(bytes, digest);
        return Bits == 32 ? BinaryPrimitives.ReadUInt32LittleEndian(digest) : BinaryPrimitives.ReadUInt64LittleEndian(digest);
    }
}
