// The integers of a block, one byte each, in order of the columns. Layouts: the GGUF section of the formats reference.

namespace Gradus.Tensors.Cpu;

/// <summary>Takes the integers out of blocks, and puts them back.</summary>
internal static unsafe class BlockCodes
{
    /// <summary>Reads the integers of a block, none negative: Q8_0's are 128 higher.</summary>
    /// <param name="format">A format with panels.</param>
    /// <param name="block">The block.</param>
    /// <param name="codes">Room for one byte per weight.</param>
    public static void Read(BlockFormat format, byte* block, byte* codes)
    {
        switch (format)
        {
            case BlockFormat.Q8_0:
                for (int i = 0; i < 32; i++)
                    codes[i] = (byte)(block[2 + i] ^ 128);
                break;
            case BlockFormat.Q4_K or BlockFormat.Q5_K:
                for (int run = 0; run < 4; run++)
                    Split(block + (format == BlockFormat.Q4_K ? 16 : 48) + 32 * run, 32, codes + 64 * run);
                for (int i = 0; i < 256 && format == BlockFormat.Q5_K; i += 8)
                    *(ulong*)(codes + i) |= (*(ulong*)(block + 16 + i % 32) >> i / 32 & 0x0101010101010101) << 4;
                break;
            case BlockFormat.Q6_K:
                for (int half = 0; half < 2; half++)
                    Split(block + 64 * half, 64, codes + 128 * half);
                for (int i = 0; i < 256; i += 8)
                    *(ulong*)(codes + i) |= (*(ulong*)(block + 128 + i / 128 * 32 + i % 32) >> i % 128 / 32 * 2 & 0x0303030303030303) << 4;
                break;
            case BlockFormat.NF4:
                Split(block + 4, 32, codes);
                break;
            case BlockFormat.NF4Double:
                Split(block + 1, 32, codes);
                break;
            case BlockFormat.Q5_0 or BlockFormat.Q5_1:
                int head = format == BlockFormat.Q5_0 ? 2 : 4;
                Split(block + head + 4, 16, codes);
                for (int i = 0; i < 32; i++)
                    codes[i] |= (byte)((*(uint*)(block + head) >> i & 1) << 4);
                break;
            default:
                Split(block + (format == BlockFormat.Q4_1 ? 4 : 2), 16, codes);
                break;
        }
    }

    /// <summary>Writes the integers of a block that was zero: the inverse of <see cref="Read"/>.</summary>
    public static void Write(BlockFormat format, byte* codes, byte* block)
    {
        switch (format)
        {
            case BlockFormat.Q8_0:
                for (int i = 0; i < 32; i++)
                    block[2 + i] = (byte)(codes[i] ^ 128);
                break;
            case BlockFormat.Q4_K or BlockFormat.Q5_K:
                for (int run = 0; run < 4; run++)
                    Join(codes + 64 * run, 32, block + (format == BlockFormat.Q4_K ? 16 : 48) + 32 * run);
                for (int i = 0; i < 256 && format == BlockFormat.Q5_K; i++)
                    block[16 + i % 32] |= (byte)(codes[i] >> 4 << i / 32);
                break;
            case BlockFormat.Q6_K:
                for (int half = 0; half < 2; half++)
                    Join(codes + 128 * half, 64, block + 64 * half);
                for (int i = 0; i < 256; i++)
                    block[128 + i / 128 * 32 + i % 32] |= (byte)(codes[i] >> 4 << i % 128 / 32 * 2);
                break;
            case BlockFormat.NF4:
                Join(codes, 32, block + 4);
                break;
            case BlockFormat.NF4Double:
                Join(codes, 32, block + 1);
                break;
            case BlockFormat.Q5_0 or BlockFormat.Q5_1:
                int head = format == BlockFormat.Q5_0 ? 2 : 4;
                Join(codes, 16, block + head + 4);
                for (int i = 0; i < 32; i++)
                    *(uint*)(block + head) |= (uint)(codes[i] >> 4) << i;
                break;
            default:
                Join(codes, 16, block + (format == BlockFormat.Q4_1 ? 4 : 2));
                break;
        }
    }

    // The low halves of a run of bytes come first, then the high halves.
    private static void Split(byte* run, int bytes, byte* codes)
    {
        const ulong Low = 0x0F0F0F0F0F0F0F0F;
        for (int i = 0; i < bytes; i += 8)
        {
            ulong here = *(ulong*)(run + i);
            *(ulong*)(codes + i) = here & Low;
            *(ulong*)(codes + bytes + i) = here >> 4 & Low;
        }
    }

    private static void Join(byte* codes, int bytes, byte* run)
    {
        const ulong Low = 0x0F0F0F0F0F0F0F0F;
        for (int i = 0; i < bytes; i += 8)
            *(ulong*)(run + i) = *(ulong*)(codes + i) & Low | (*(ulong*)(codes + bytes + i) & Low) << 4;
    }
}
