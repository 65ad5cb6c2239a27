using System.Buffers.Binary;

namespace Gradus.Text;

/// <summary>
/// Reads llama2.c's tokenizer.bin: an int32 with the length of the longest piece, then for every piece a float32 score, an int32 length
/// and its bytes, little-endian. It is a SentencePiece BPE; spaces are written as they are. Source: llama2.c, tokenizer.py and run.c.
/// </summary>
public static class Llama2cTokenizerFile
{
    private const int FirstByte = 3;

    /// <summary>Reads a file.</summary>
    /// <param name="path">Path of tokenizer.bin.</param>
    /// <exception cref="InvalidDataException">The file is not such a tokenizer; the message says where and why.</exception>
    public static Tokenizer Load(string path) => Parse(File.ReadAllBytes(path), path);

    /// <summary>Reads the content of a file.</summary>
    /// <param name="data">The content.</param>
    /// <param name="name">What errors call it.</param>
    public static Tokenizer Parse(ReadOnlySpan<byte> data, string name = "tokenizer.bin")
    {
        SentencePieceSpec spec = new()
        {
            Place = name,
            ModelType = SentencePieceSpec.BpeType,
            ByteFallback = true,
            RemoveExtraWhitespaces = false,
            AllowsDuplicates = true,
        };
        if (data.Length < 4)
            throw new InvalidDataException($"{name}: {data.Length} bytes; it must begin with the four of the longest piece's length.");
        int longest = BinaryPrimitives.ReadInt32LittleEndian(data);
        int at = 4;
        while (at < data.Length)
        {
            int id = spec.Pieces.Count;
            int length = data.Length - at >= 8 ? BinaryPrimitives.ReadInt32LittleEndian(data[(at + 4)..]) : -1;
            if (length < 0 || length > data.Length - at - 8)
                throw new InvalidDataException($"{name}: piece {id} at byte {at} goes past the end at {data.Length}; the file is cut off or damaged.");
            if (length > longest)
                throw new InvalidDataException($"{name}: piece {id} at byte {at} has {length} bytes, more than the {longest} the file begins with.");
            float score = BinaryPrimitives.ReadSingleLittleEndian(data[at..]);
            ReadOnlySpan<byte> piece = data.Slice(at + 8, length);
            if (!float.IsFinite(score) || !System.Text.Unicode.Utf8.IsValid(piece))
                throw new InvalidDataException($"{name}: piece {id} at byte {at} has no finite score, or is not UTF-8.");
            at += 8 + length;
            Add(spec, System.Text.Encoding.UTF8.GetString(piece), score);
        }
        if (spec.Pieces.Count < FirstByte + 256)
            throw new InvalidDataException($"{name}: {spec.Pieces.Count} pieces; there must be three special ones and 256 bytes.");
        return SentencePieceAssembly.Build(spec, addBos: true, addEos: false);
    }

    private static void Add(SentencePieceSpec spec, string piece, float score)
    {
        int id = spec.Pieces.Count;
        // The file writes line breaks around the special tokens, for printing.
        spec.Pieces.Add(id switch
        {
            0 => (piece.Trim('\n'), score, SentencePieceKind.Unknown),
            1 or 2 => (piece.Trim('\n'), score, SentencePieceKind.Control),
            < FirstByte + 256 => ($"<0x{id - FirstByte:X2}>", score, SentencePieceKind.Byte),
            _ => (piece.Replace(' ', '▁'), score, SentencePieceKind.Normal),
        });
    }
}
