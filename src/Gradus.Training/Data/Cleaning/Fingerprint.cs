using System.Buffers.Binary;
using System.Numerics;
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
    private const ulong P1 = 0x9E3779B185EBCA87, P2 = 0xC2B2AE3D27D4EB4F, P3 = 0x165667B19E3779F9, P4 = 0x85EBCA77C2B2AE63, P5 = 0x27D4EB2F165667C5;
    private const uint Q1 = 0x9E3779B1, Q2 = 0x85EBCA77, Q3 = 0xC2B2AE3D, Q4 = 0x27D4EB2F, Q5 = 0x165667B1;

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
    public ulong Of(ReadOnlySpan<byte> bytes) => Kind == FingerprintKind.Sha1 ? Sha1(bytes) : Bits == 32 ? XxHash32(bytes) : XxHash64(bytes);

    [System.Diagnostics.CodeAnalysis.SuppressMessage("Security", "CA5350", Justification = "It tells texts apart and protects nothing.")]
    private ulong Sha1(ReadOnlySpan<byte> bytes)
    {
        Span<byte> digest = stackalloc byte[SHA1.HashSizeInBytes];
        SHA1.HashData(bytes, digest);
        return Bits == 32 ? BinaryPrimitives.ReadUInt32LittleEndian(digest) : BinaryPrimitives.ReadUInt64LittleEndian(digest);
    }

    private static ulong XxHash64(ReadOnlySpan<byte> bytes)
    {
        ulong hash = P5, length = (ulong)bytes.Length;
        if (bytes.Length >= 32)
        {
            ulong a = unchecked(P1 + P2), b = P2, c = 0, d = unchecked(0 - P1);
            for (; bytes.Length >= 32; bytes = bytes[32..])
            {
                a = Round(a, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
                b = Round(b, BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]));
                c = Round(c, BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]));
                d = Round(d, BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]));
            }
            hash = BitOperations.RotateLeft(a, 1) + BitOperations.RotateLeft(b, 7) + BitOperations.RotateLeft(c, 12) + BitOperations.RotateLeft(d, 18);
            hash = Merge(Merge(Merge(Merge(hash, a), b), c), d);
        }
        hash += length;
        for (; bytes.Length >= 8; bytes = bytes[8..])
            hash = (BitOperations.RotateLeft(hash ^ Round(0, BinaryPrimitives.ReadUInt64LittleEndian(bytes)), 27) * P1) + P4;
        if (bytes.Length >= 4)
        {
            hash = (BitOperations.RotateLeft(hash ^ (BinaryPrimitives.ReadUInt32LittleEndian(bytes) * P1), 23) * P2) + P3;
            bytes = bytes[4..];
        }
        foreach (byte value in bytes)
            hash = BitOperations.RotateLeft(hash ^ (value * P5), 11) * P1;
        hash = (hash ^ (hash >> 33)) * P2;
        hash = (hash ^ (hash >> 29)) * P3;
        return hash ^ (hash >> 32);

        static ulong Round(ulong sum, ulong input) => BitOperations.RotateLeft(sum + (input * P2), 31) * P1;

        static ulong Merge(ulong hash, ulong sum) => ((hash ^ Round(0, sum)) * P1) + P4;
    }

    private static uint XxHash32(ReadOnlySpan<byte> bytes)
    {
        uint hash = Q5, length = (uint)bytes.Length;
        if (bytes.Length >= 16)
        {
            uint a = unchecked(Q1 + Q2), b = Q2, c = 0, d = unchecked(0 - Q1);
            for (; bytes.Length >= 16; bytes = bytes[16..])
            {
                a = Round(a, BinaryPrimitives.ReadUInt32LittleEndian(bytes));
                b = Round(b, BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]));
                c = Round(c, BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]));
                d = Round(d, BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]));
            }
            hash = BitOperations.RotateLeft(a, 1) + BitOperations.RotateLeft(b, 7) + BitOperations.RotateLeft(c, 12) + BitOperations.RotateLeft(d, 18);
        }
        hash += length;
        for (; bytes.Length >= 4; bytes = bytes[4..])
            hash = BitOperations.RotateLeft(hash + (BinaryPrimitives.ReadUInt32LittleEndian(bytes) * Q3), 17) * Q4;
        foreach (byte value in bytes)
            hash = BitOperations.RotateLeft(hash + (value * Q5), 11) * Q1;
        hash = (hash ^ (hash >> 15)) * Q2;
        hash = (hash ^ (hash >> 13)) * Q3;
        return hash ^ (hash >> 16);

        static uint Round(uint sum, uint input) => BitOperations.RotateLeft(sum + (input * Q2), 13) * Q1;
    }
}
