// SentencePiece's .model: a protobuf message with the pieces, the trainer's and the normalizer's settings.
// Source: sentencepiece_model.proto, sentencepiece_processor.cc, normalizer.cc, bpe_model.cc, unigram_model.cc, word_model.cc, char_model.cc.
// Leaves out: sampling, and denormalization (no published model has one).


namespace Gradus.Text;

/// <summary>The kinds of pieces in a SentencePiece model, by their numbers in the file.</summary>
public enum SentencePieceKind
{
    /// <summary>A piece of text.</summary>
    Normal = 1,

    /// <summary>Stands for what the model does not know.</summary>
    Unknown = 2,

    /// <summary>Has no text, as the begin and end of a sentence.</summary>
    Control = 3,

    /// <summary>Always a token where it occurs in the text.</summary>
    UserDefined = 4,

    /// <summary>Not used when encoding.</summary>
    Unused = 5,

    /// <summary>One byte, <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c>.</summary>
    Byte = 6,
}

/// <summary>Reads SentencePiece's .model files.</summary>
public static class SentencePieceFile
{
    /// <summary>Reads a model.</summary>
    /// <param name="path">Path of the .model file.</param>
    /// <param name="addBos">Whether encoding with special tokens begins with the begin token.</param>
    /// <param name="addEos">Whether encoding with special tokens ends with the end token.</param>
    /// <exception cref="InvalidDataException">The file is not a SentencePiece model; the message says where and why.</exception>
    public static Tokenizer Load(string path, bool addBos = false, bool addEos = false) => Parse(File.ReadAllBytes(path), path, addBos, addEos);

    /// <summary>Reads the content of a model.</summary>
    /// <param name="data">The content.</param>
    /// <param name="name">What errors call it.</param>
    /// <param name="addBos">Whether encoding with special tokens begins with the begin token.</param>
    /// <param name="addEos">Whether encoding with special tokens ends with the end token.</param>
    /// <exception cref="InvalidDataException">It is not a SentencePiece model; the message says where and why.</exception>
    public static Tokenizer Parse(ReadOnlySpan<byte> data, string name = "model", bool addBos = false, bool addEos = false)
    {
        try
        {
            return SentencePieceAssembly.Build(SentencePieceSpec.Read(data, name), addBos, addEos);
        }
        catch (InvalidDataException e) when (!OneLine.Is(e.Message))
        {
            throw new InvalidDataException(OneLine.Of(e.Message), e);
        }
    }
}

/// <summary>What a SentencePiece model file says.</summary>
internal sealed class SentencePieceSpec
{
    public const int UnigramType = 1, BpeType = 2, WordType = 3, CharType = 4;

    public string Place { get; init; } = "model";

    /// <summary>Whether two pieces may be the same; the first is then the one found.</summary>
    public bool AllowsDuplicates { get; init; }

    public List<(string Piece, float Score, SentencePieceKind Kind)> Pieces { get; } = [];

    public int ModelType { get; set; } = UnigramType;

    public bool ByteFallback { get; set; }

    public bool WhitespaceAsSuffix { get; set; }

    public string UnknownSurface { get; set; } = " \u2047 ";

    public byte[] Charsmap { get; set; } = [];

    public bool AddDummyPrefix { get; set; } = true;

    public bool RemoveExtraWhitespaces { get; set; } = true;

    public bool EscapeWhitespaces { get; set; } = true;

    /// <summary>Whether the dummy prefix stands before the text only, not before every part between added tokens.</summary>
    public bool PrefixFirstOnly { get; set; }

    public string BosPiece { get; set; } = "<s>";

    public string EosPiece { get; set; } = "</s>";

    public string UnknownPiece { get; set; } = "<unk>";

    public string PadPiece { get; set; } = "<pad>";

    public static SentencePieceSpec Read(ReadOnlySpan<byte> data, string place)
    {
        SentencePieceSpec spec = new() { Place = place };
        ProtobufReader reader = new(data, place);
        while (reader.Read())
        {
            switch (reader.Field)
            {
                case 1:
                    spec.ReadPiece(reader.Bytes);
                    break;
                case 2:
                    spec.ReadTrainer(reader.Bytes);
                    break;
                case 3:
                    spec.ReadNormalizer(reader.Bytes);
                    break;
            }
        }
        if (spec.Pieces.Count == 0)
            throw new InvalidDataException($"{place}: no pieces; this is not a SentencePiece model.");
        if (spec.Pieces.Count(p => p.Kind == SentencePieceKind.Unknown) != 1)
            throw new InvalidDataException($"{place}: {spec.Pieces.Count(p => p.Kind == SentencePieceKind.Unknown)} pieces are unknown tokens; a model has exactly one. The file may be cut off.");
        if (spec.ModelType is < UnigramType or > CharType)
            throw new InvalidDataException($"{place}: the model type {spec.ModelType} is not known; 1 (unigram) to 4 (char) are.");
        return spec;
    }

    /// <summary>The same model with fairseq's ids: four special tokens, the pieces from the fourth on, the mask token.</summary>
    public SentencePieceSpec WithFairseqIds(SpecialTokens special)
    {
        SentencePieceSpec spec = new()
        {
            Place = Place,
            AllowsDuplicates = true,
            ModelType = ModelType,
            ByteFallback = ByteFallback,
            WhitespaceAsSuffix = WhitespaceAsSuffix,
            UnknownSurface = UnknownSurface,
            Charsmap = Charsmap,
            AddDummyPrefix = AddDummyPrefix,
            RemoveExtraWhitespaces = RemoveExtraWhitespaces,
            EscapeWhitespaces = EscapeWhitespaces,
            BosPiece = special.Bos!,
            EosPiece = special.Eos!,
            PadPiece = special.Pad!,
            UnknownPiece = special.Unknown!,
        };
        spec.Pieces.AddRange([
            (special.Bos!, 0, SentencePieceKind.Control), (special.Pad!, 0, SentencePieceKind.Control),
            (special.Eos!, 0, SentencePieceKind.Control), (special.Unknown!, 0, SentencePieceKind.Unknown), .. Pieces.Skip(3),
            (special.Mask!, 0, SentencePieceKind.Control),
        ]);
        return spec;
    }

    /// <summary>Makes pieces that end with a digit and a comma as good as never used, as XLNet's and ALBERT's tokenizers do.</summary>
    public void DownrankDigitsWithComma()
    {
        for (int id = 0; id < Pieces.Count; id++)
        {
            (string piece, float score, SentencePieceKind kind) = Pieces[id];
            if (piece.Length > 1 && piece[^1] == ',' && char.IsDigit(piece[^2]))
                Pieces[id] = (piece, score - 100, kind);
        }
    }

    private void ReadPiece(ReadOnlySpan<byte> data)
    {
        string piece = "";
        float score = 0;
        int kind = (int)SentencePieceKind.Normal;
        ProtobufReader reader = new(data, $"{Place}: piece {Pieces.Count}");
        while (reader.Read())
        {
            switch (reader.Field)
            {
                case 1:
                    if (!System.Text.Unicode.Utf8.IsValid(reader.Bytes))
                        throw new InvalidDataException($"{Place}: piece {Pieces.Count} is not UTF-8.");
                    piece = reader.Text;
                    break;
                case 2:
                    score = reader.Single;
                    break;
                case 3:
                    kind = (int)reader.Number;
                    break;
            }
        }
        if (piece.Length == 0)
            throw new InvalidDataException($"{Place}: piece {Pieces.Count} has no text.");
        if (!float.IsFinite(score))
            throw new InvalidDataException($"{Place}: piece {Pieces.Count} (\"{piece}\") has the score {score}.");
        if (kind is < 1 or > 6)
            throw new InvalidDataException($"{Place}: piece {Pieces.Count} (\"{piece}\") has the type {kind}; 1 to 6 are known.");
        Pieces.Add((piece, score, (SentencePieceKind)kind));
    }

    private void ReadTrainer(ReadOnlySpan<byte> data)
    {
        ProtobufReader reader = new(data, $"{Place}: trainer_spec");
        while (reader.Read())
        {
            switch (reader.Field)
            {
                case 3:
                    ModelType = (int)reader.Number;
                    break;
                case 24:
                    WhitespaceAsSuffix = reader.Number != 0;
                    break;
                case 35:
                    ByteFallback = reader.Number != 0;
                    break;
                case 44:
                    UnknownSurface = reader.Text;
                    break;
                case 45:
                    UnknownPiece = reader.Text;
                    break;
                case 46:
                    BosPiece = reader.Text;
                    break;
                case 47:
                    EosPiece = reader.Text;
                    break;
                case 48:
                    PadPiece = reader.Text;
                    break;
            }
        }
    }

    private void ReadNormalizer(ReadOnlySpan<byte> data)
    {
        ProtobufReader reader = new(data, $"{Place}: normalizer_spec");
        while (reader.Read())
        {
            switch (reader.Field)
            {
                case 2:
                    Charsmap = reader.Bytes.ToArray();
                    break;
                case 3:
                    AddDummyPrefix = reader.Number != 0;
                    break;
                case 4:
                    RemoveExtraWhitespaces = reader.Number != 0;
                    break;
                case 5:
                    EscapeWhitespaces = reader.Number != 0;
                    break;
            }
        }
    }
}
