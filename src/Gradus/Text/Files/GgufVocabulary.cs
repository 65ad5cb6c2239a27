// The vocabulary that a GGUF model carries. Source: llama.cpp's conversion (gguf keys tokenizer.ggml.*) and, for the pre-token patterns
// that tokenizer.ggml.pre names, the patterns that the models' own tokenizer.json files have.
// Leaves out: RWKV and the vocabularies of audio models.

using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using Gradus.Files;
using Gradus.Files.Gguf;

namespace Gradus.Text;

/// <summary>Reads the tokenizer of a GGUF file.</summary>
public static partial class GgufVocabulary
{
    private const string Prefix = "tokenizer.ggml.";

    /// <summary>Reads a file's metadata; the tensors are not touched.</summary>
    /// <param name="path">Path of the .gguf file; of one in shards any, since the first has the vocabulary.</param>
    /// <exception cref="InvalidDataException">The file carries no tokenizer that is known; the message says where and why.</exception>
    public static Tokenizer Load(string path)
    {
        string first = ShardName().Replace(path, "-00001-of-$1.gguf");
        if (File.Exists(first))
            path = first;
        try
        {
            return Read(GgufPart.ReadMetadata(path), path);
        }
        catch (InvalidDataException e) when (!OneLine.Is(e.Message))
        {
            throw new InvalidDataException(OneLine.Of(e.Message), e);
        }
    }

    private static Tokenizer Read(GgufMetadata metadata, string name)
    {
        string model = Find<string>(metadata, name, Prefix + "model") ?? throw new InvalidDataException($"{name}: there is no {Prefix}model; the file carries no tokenizer.");
        GgufTokens tokens = new(metadata, name);
        Tokenizer tokenizer = model switch
        {
            "gpt2" => ByteLevel(tokens),
            "llama" => SentencePiece(tokens, SentencePieceSpec.BpeType),
            "t5" => SentencePiece(tokens, SentencePieceSpec.UnigramType),
            "bert" => Bert(tokens),
            _ => throw new InvalidDataException($"{name}: the tokenizer model \"{model}\" is not known; gpt2, llama, t5 and bert are."),
        };
        return Find<string>(metadata, name, "tokenizer.chat_template") is { } template ? new Tokenizer(tokenizer.Parts with { ChatTemplate = template, ChatTemplateFile = name }) : tokenizer;
    }

    // A value of one type, or null where there is none.
    private static T? Find<T>(GgufMetadata metadata, string name, string key)
        where T : class => metadata.TryGet(key, out T? value) ? value
        : metadata.Contains(key) ? throw new InvalidDataException($"{name}: {key} has a value of another kind than a {typeof(T).Name}; the file is damaged, get it again.")
        : null;

    [GeneratedRegex(@"-[0-9]{5}-of-([0-9]{5})\.gguf$", RegexOptions.CultureInvariant)]
    private static partial Regex ShardName();

    private static Tokenizer ByteLevel(GgufTokens tokens)
    {
        Vocabulary.Builder builder = new(byteLevel: true, tokens.Count);
        for (int id = 0; id < tokens.Count; id++)
            builder.AddText(tokens.Utf8(id), id);
        // The merges are copied out beside the table that the vocabulary builds.
        Task<MergeTexts> texts = Task.Run(() => SplitMerges(tokens));
        Vocabulary vocabulary = builder.Build($"{tokens.Place}: {Prefix}tokens");
        Merge[] merges = texts.GetAwaiter().GetResult().Resolve(vocabulary, 0, $"{tokens.Place}: {Prefix}merges");
        (PreTokenizer pre, bool ignoreMerges) = GgufPatterns.Find(tokens.Pre, tokens.Place);
        return new Tokenizer(new TokenizerParts(Bpe.FromMerges(vocabulary, merges, new BpeOptions(IgnoreMerges: ignoreMerges)))
        {
            PreTokenizer = pre,
            Decoder = new ByteLevelDecoder(),
            PostProcessor = SentencePieceAssembly.Template(tokens.Special, vocabulary, tokens.AddBos(GgufPatterns.AddsBos(tokens.Pre)), tokens.AddEos(false)),
            AddedTokens = tokens.Added(),
            SpecialTokens = tokens.Special,
        });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static MergeTexts SplitMerges(GgufTokens tokens)
    {
        TextList lines = tokens.Merges;
        MergeTexts merges = new(lines.Count);
        for (int i = 0; i < lines.Count; i++)
        {
            ReadOnlySpan<byte> line = lines[i];
            // The first token has a byte at least.
            int space = line.IsEmpty ? -1 : line[1..].IndexOf((byte)' ') + 1;
            if (space <= 0)
                throw new InvalidDataException($"{tokens.Place}: {Prefix}merges[{i}] is \"{lines.Text(i)}\", not two tokens with a space between them.");
            merges.Add(line[..space], line[(space + 1)..]);
        }
        return merges;
    }

    private static Tokenizer SentencePiece(GgufTokens tokens, int type)
    {
        bool unigram = type == SentencePieceSpec.UnigramType;
        SentencePieceSpec spec = new()
        {
            Place = tokens.Place,
            ModelType = type,
            AddDummyPrefix = tokens.Flag("add_space_prefix", true),
            RemoveExtraWhitespaces = tokens.Flag("remove_extra_whitespaces", unigram),
            Charsmap = tokens.Find<byte[]>("precompiled_charsmap") ?? [],
            AllowsDuplicates = true,
            BosPiece = tokens.Special.Bos ?? "",
            EosPiece = tokens.Special.Eos ?? "",
            PadPiece = tokens.Special.Pad ?? "",
        };
        for (int id = 0; id < tokens.Count; id++)
            spec.Pieces.Add((tokens.Text(id), tokens.Score(id), tokens.Kind(id)));
        spec.ByteFallback = spec.Pieces.Count(p => p.Kind == SentencePieceKind.Byte) == 256;
        Tokenizer plain = SentencePieceAssembly.Build(spec, addBos: false, addEos: false);
        return new Tokenizer(plain.Parts with
        {
            AddedTokens = tokens.Added(),
            SpecialTokens = tokens.Special,
            SpecialTokenPolicy = SpecialTokenPolicy.Find,
            PostProcessor = SentencePieceAssembly.Template(tokens.Special, plain.Parts.Model.Vocabulary, tokens.AddBos(!unigram), tokens.AddEos(unigram)),
        });
    }

    /// <summary>The conversion writes word starts with ▁ and takes ## off the others; this puts both back.</summary>
    private static Tokenizer Bert(GgufTokens tokens)
    {
        Vocabulary.Builder builder = new(byteLevel: false, tokens.Count);
        for (int id = 0; id < tokens.Count; id++)
        {
            string token = tokens.Text(id);
            bool special = token.StartsWith('[') && token.EndsWith(']');
            builder.Add(Encoding.UTF8.GetBytes(token.StartsWith('▁') ? token[1..] : special ? token : "##" + token), id);
        }
        Vocabulary vocabulary = builder.Build($"{tokens.Place}: {Prefix}tokens", allowDuplicates: true);
        Tokenizer tokenizer = BertVocabulary.Build(vocabulary, tokens.Place, new BertNormalizer());
        return tokens.AddBos(true) || tokens.AddEos(true) ? tokenizer : new Tokenizer(tokenizer.Parts with { PostProcessor = null });
    }

    /// <summary>The lists of tokens, scores and kinds, checked against one another.</summary>
    private sealed class GgufTokens
    {
        private readonly GgufMetadata _metadata;
        private readonly TextList _texts;
        private readonly float[]? _scores;
        private readonly long[]? _kinds;

        public GgufTokens(GgufMetadata metadata, string place)
        {
            _metadata = metadata;
            Place = place;
            _texts = Find<TextList>("tokens") ?? throw new InvalidDataException($"{place}: there is no {Prefix}tokens.");
            _scores = Find<float[]>("scores");
            _kinds = metadata.TryGetIntegers(Prefix + "token_type", out long[]? kinds) ? kinds : Find<long[]>("token_type");
            if ((_scores is not null && _scores.Length != Count) || (_kinds is not null && _kinds.Length != Count))
                throw new InvalidDataException($"{place}: {Count} tokens, but {_scores?.Length} scores and {_kinds?.Length} types.");
            Special = new SpecialTokens(
                Bos: Name("bos_token_id"), Eos: Name("eos_token_id"), Unknown: NameIfAny("unknown_token_id"), Pad: NameIfAny("padding_token_id"),
                Separator: NameIfAny("seperator_token_id"), Classifier: NameIfAny("cls_token_id"), Mask: NameIfAny("mask_token_id"));
        }

        public string Place { get; }

        public int Count => _texts.Count;

        public SpecialTokens Special { get; }

        public string Pre => Find<string>("pre") ?? "default";

        public TextList Merges => Find<TextList>("merges") ?? throw new InvalidDataException($"{Place}: there is no {Prefix}merges.");

        public string Text(int id) => _texts.Text(id);

        public ReadOnlySpan<byte> Utf8(int id) => _texts[id];

        public float Score(int id) => _scores is null ? 0 : float.IsFinite(_scores[id]) ? _scores[id] : throw new InvalidDataException($"{Place}: {Prefix}scores[{id}] is {_scores[id]}.");

        public SentencePieceKind Kind(int id)
        {
            if (_kinds is null)
                return SentencePieceKind.Normal;
            return _kinds[id] is var kind and >= 1 and <= 6 ? (SentencePieceKind)kind : SentencePieceKind.Normal;
        }

        public bool AddBos(bool whenAbsent) => Flag("add_bos_token", whenAbsent);

        public bool AddEos(bool whenAbsent) => Flag("add_eos_token", whenAbsent);

        public List<AddedToken> Added()
        {
            List<AddedToken> added = [];
            HashSet<string> seen = new(StringComparer.Ordinal);
            for (int id = 0; id < Count; id++)
            {
                SentencePieceKind kind = Kind(id);
                bool special = kind is SentencePieceKind.Control or SentencePieceKind.Unknown;
                if ((special || kind == SentencePieceKind.UserDefined) && Text(id) is { Length: > 0 } text && seen.Add(text))
                    added.Add(new AddedToken(id, text, special));
            }
            return added;
        }

        public T? Find<T>(string key)
            where T : class => GgufVocabulary.Find<T>(_metadata, Place, Prefix + key);

        public bool Flag(string key, bool whenAbsent) => _metadata.TryGet(Prefix + key, out bool flag) ? flag
            : _metadata.Contains(Prefix + key) ? throw new InvalidDataException($"{Place}: {Prefix}{key} is not true or false.") : whenAbsent;

        private int? Id(string key)
        {
            if (GgufKeys.TryId(_metadata, Prefix + key, out int id))
                return id;
            // None, as writers say it in any width.
            return !_metadata.Contains(Prefix + key) || (_metadata.TryGetNumber(Prefix + key, out double number) && number is -1 or ushort.MaxValue or int.MaxValue or uint.MaxValue or ulong.MaxValue)
                ? null
                : throw new InvalidDataException($"{Place}: {Prefix}{key} is no token id.");
        }

        private string? Name(string key)
        {
            int? id = Id(key);
            if (id is null)
                return null;
            return id < Count ? _texts.Text(id.Value) : throw new InvalidDataException($"{Place}: {Prefix}{key} is {id}, but there are {Count} tokens.");
        }

        // Published files give some of these ids beyond the table; a text is encoded without them.
        private string? NameIfAny(string key) => Id(key) is { } id && id < Count ? _texts.Text(id) : null;
    }
}
