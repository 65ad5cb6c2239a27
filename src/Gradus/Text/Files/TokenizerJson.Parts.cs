using System.Text;
using System.Text.Json;

namespace Gradus.Text;

// Everything in tokenizer.json but the model.
public static partial class TokenizerJson
{
    private static TokenizerParts ParseParts(ReadOnlyMemory<byte> utf8, SpecialTokens? special)
    {
        Task<EarlyMerges?>? early = utf8.Length > ParallelLength && Environment.ProcessorCount > 1 ? Task.Run(() => FindMerges(utf8.Span)) : null;
        Utf8JsonReader reader = new(utf8.Span, ReaderOptions);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw new InvalidDataException("expected an object at the top.");
        Dictionary<string, JsonPlace> small = [];
        TokenModel? model = null;
        int modelStart = -1;
        List<JsonDocument> documents = [];
        try
        {
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                reader.Read();
                if (name != "model")
                {
                    JsonDocument document = JsonDocument.ParseValue(ref reader);
                    documents.Add(document);
                    small[name] = new JsonPlace(document.RootElement, name);
                }
                else if (small.ContainsKey("pre_tokenizer") && small.ContainsKey("added_tokens"))
                {
                    model = ReadModel(ref reader, utf8.Span, Context(small, early));
                }
                else
                {
                    modelStart = (int)reader.TokenStartIndex;
                    reader.Skip();
                }
            }
            if (model is null && modelStart < 0)
                throw new InvalidDataException("there is no \"model\".");
            if (model is null)
            {
                Utf8JsonReader later = new(utf8.Span[modelStart..], ReaderOptions);
                later.Read();
                model = ReadModel(ref later, utf8.Span[modelStart..], Context(small, early));
            }
            return Combine(small, model, special);
        }
        finally
        {
            documents.ForEach(static d => d.Dispose());
        }
    }

    private static JsonPlace Part(Dictionary<string, JsonPlace> parts, string name) => parts.TryGetValue(name, out JsonPlace? part) ? part : new JsonPlace(default, name);

    private static TokenizerParts Combine(Dictionary<string, JsonPlace> small, TokenModel model, SpecialTokens? special)
    {
        List<AddedToken> added = ReadAddedTokens(Part(small, "added_tokens"), model.Vocabulary);
        JsonPlace preTokenizer = Part(small, "pre_tokenizer");
        return new TokenizerParts(model)
        {
            Normalizer = ReadNormalizer(Part(small, "normalizer")),
            PreTokenizer = ReadPreTokenizer(preTokenizer, model.Vocabulary.IsByteLevel),
            PostProcessor = ReadPostProcessor(Part(small, "post_processor")),
            Decoder = ReadDecoder(Part(small, "decoder")),
            AddedTokens = added,
            SpecialTokens = special ?? GuessSpecialTokens(added),
            Truncation = ReadTruncation(Part(small, "truncation")),
            Padding = ReadPadding(Part(small, "padding")),
        };
    }

    /// <summary>Whether the model is given raw bytes: the last pre-tokenizer is ByteLevel, so that pieces are written in the byte alphabet.</summary>
    private static ModelContext Context(Dictionary<string, JsonPlace> small, Task<EarlyMerges?>? early)
    {
        JsonPlace pre = Part(small, "pre_tokenizer");
        bool byteLevel = false;
        if (!pre.IsNull)
        {
            // A ByteLevel before the last would have its output split again.
            List<string> types = [];
            ListTypes(pre, types);
            byteLevel = types.Count > 0 && types.IndexOf("ByteLevel") == types.Count - 1;
        }
        HashSet<int> added = [.. Part(small, "added_tokens").Items().Select(t => t["id"].Number())];
        return new ModelContext(byteLevel, added.Contains, early);
    }

    private static void ListTypes(JsonPlace pre, List<string> types)
    {
        string type = pre["type"].Text("");
        if (type != "Sequence")
        {
            types.Add(type);
            return;
        }
        foreach (JsonPlace part in pre["pretokenizers"].Items())
            ListTypes(part, types);
    }

    /// <summary>A token that the model has too keeps the model's id, whatever the list says, as in the reference.</summary>
    private static List<AddedToken> ReadAddedTokens(JsonPlace list, Vocabulary vocabulary)
    {
        List<AddedToken> tokens = [];
        foreach (JsonPlace t in list.Items())
        {
            bool special = t["special"].Flag(false);
            string content = t["content"].Text();
            tokens.Add(new AddedToken(vocabulary.Find(content) ?? t["id"].Number(), content, special, t["single_word"].Flag(false),
                t["lstrip"].Flag(false), t["rstrip"].Flag(false), t["normalized"].Flag(!special)));
        }
        return tokens;
    }

    /// <summary>Where no tokenizer_config.json says it, the well-known names.</summary>
    internal static SpecialTokens GuessSpecialTokens(IReadOnlyList<AddedToken> added)
    {
        return new SpecialTokens(
            Bos: First("<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>", "[BOS]"),
            Eos: First("</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>", "[EOS]"),
            Unknown: First("<unk>", "[UNK]", "<|unk|>"),
            Pad: First("<pad>", "[PAD]", "<|pad|>", "<|finetune_right_pad_id|>"),
            Separator: First("[SEP]", "<sep>"),
            Classifier: First("[CLS]", "<cls>"),
            Mask: First("[MASK]", "<mask>"));

        string? First(params string[] names) => names.FirstOrDefault(n => added.Any(a => a.Content == n));
    }

    private static InvalidDataException Missing(JsonPlace part) => part.Wrong("an object with a type");

    private static PreTokenizer? ReadPreTokenizer(JsonPlace p, bool keepBytes)
    {
        if (p.IsNull)
            return null;
        string type = p["type"].Text();
        return type switch
        {
            "Sequence" => new PreTokenizerSequence([.. p["pretokenizers"].Items().Select(i => ReadPreTokenizer(i, keepBytes) ?? throw Missing(i))]),
            "ByteLevel" => new ByteLevelPreTokenizer(p["add_prefix_space"].Flag(true), p["trim_offsets"].Flag(true), p["use_regex"].Flag(true), keepBytes),
            "Split" => ReadSplit(p),
            "Metaspace" => new MetaspacePreTokenizer(p["replacement"].Character(new Rune('▁')), ReadScheme(p), p["split"].Flag(true)),
            "Whitespace" => new WhitespacePreTokenizer(),
            "WhitespaceSplit" => new WhitespaceSplit(),
            "BertPreTokenizer" => new BertPreTokenizer(),
            "Digits" => new DigitsPreTokenizer(p["individual_digits"].Flag(false)),
            "Punctuation" => new PunctuationPreTokenizer(ReadBehavior(p["behavior"], SplitBehavior.Isolated)),
            "CharDelimiterSplit" => new CharDelimiterSplit(p["delimiter"].Character(default)),
            "UnicodeScripts" => new UnicodeScriptsPreTokenizer(),
            "FixedLength" => new FixedLengthPreTokenizer(p["length"].Number() is var n and > 0 ? n : throw p["length"].Wrong("a number from 1 on")),
            _ => throw p.Unknown("pre-tokenizer", type),
        };
    }

    private static SplitPreTokenizer ReadSplit(JsonPlace p)
    {
        (string pattern, bool isRegex) = ReadPattern(p["pattern"]);
        return new SplitPreTokenizer(pattern, isRegex, ReadBehavior(p["behavior"], null), p["invert"].Flag(false));
    }

    private static (string Pattern, bool IsRegex) ReadPattern(JsonPlace p)
    {
        if (p.Element.ValueKind == JsonValueKind.String)
            return (p.Text(), false);
        JsonPlace regex = p["Regex"];
        return regex.IsNull ? (p["String"].Text(), false) : (regex.Text(), true);
    }

    private static SplitBehavior ReadBehavior(JsonPlace p, SplitBehavior? whenAbsent)
    {
        if (p.IsNull && whenAbsent is { } value)
            return value;
        return p.Text() switch
        {
            nameof(SplitBehavior.Removed) => SplitBehavior.Removed,
            nameof(SplitBehavior.Isolated) => SplitBehavior.Isolated,
            nameof(SplitBehavior.MergedWithPrevious) => SplitBehavior.MergedWithPrevious,
            nameof(SplitBehavior.MergedWithNext) => SplitBehavior.MergedWithNext,
            nameof(SplitBehavior.Contiguous) => SplitBehavior.Contiguous,
            _ => throw p.Wrong("Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous"),
        };
    }

    /// <summary>Newer files say prepend_scheme; older ones add_prefix_space.</summary>
    private static PrependScheme ReadScheme(JsonPlace p)
    {
        JsonPlace scheme = p["prepend_scheme"];
        if (scheme.IsNull)
            return p["add_prefix_space"].Flag(true) ? PrependScheme.Always : PrependScheme.Never;
        return scheme.Text() switch
        {
            "always" => p["add_prefix_space"].Flag(true) ? PrependScheme.Always : PrependScheme.Never,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            _ => throw scheme.Wrong("always, first or never"),
        };
    }

    private static PostProcessor? ReadPostProcessor(JsonPlace p)
    {
        if (p.IsNull)
            return null;
        string type = p["type"].Text();
        return type switch
        {
            "Sequence" => new PostProcessorSequence([.. p["processors"].Items().Select(i => ReadPostProcessor(i) ?? throw Missing(i))]),
            "ByteLevel" => new ByteLevelProcessing(p["trim_offsets"].Flag(true), p["add_prefix_space"].Flag(true), p["use_regex"].Flag(true)),
            "BertProcessing" => ClassifierProcessing.Bert(ReadTokenAndId(p["sep"]), ReadTokenAndId(p["cls"])),
            "RobertaProcessing" => ClassifierProcessing.Roberta(ReadTokenAndId(p["sep"]), ReadTokenAndId(p["cls"]), p["trim_offsets"].Flag(true), p["add_prefix_space"].Flag(true)),
            "TemplateProcessing" => ReadTemplate(p),
            _ => throw p.Unknown("post-processor", type),
        };
    }

    private static (string Token, int Id) ReadTokenAndId(JsonPlace p)
    {
        JsonPlace[] items = [.. p.Items()];
        return items.Length == 2 ? (items[0].Text(), items[1].Number()) : throw p.Wrong("a token and its id");
    }

    private static TemplateProcessing ReadTemplate(JsonPlace p)
    {
        JsonPlace special = p["special_tokens"];
        List<TemplatePart> single = ReadTemplateParts(p["single"], special);
        if (single.Any(part => part.Slot == TemplateSlot.Second))
            throw p["single"].Wrong("a template of the first text alone");
        return new TemplateProcessing(single, ReadTemplateParts(p["pair"], special));
    }

    private static List<TemplatePart> ReadTemplateParts(JsonPlace list, JsonPlace special)
    {
        List<TemplatePart> parts = [];
        foreach (JsonPlace item in list.Items())
        {
            JsonPlace sequence = item["Sequence"];
            JsonPlace token = item["SpecialToken"];
            if (!sequence.IsNull)
            {
                TemplateSlot slot = sequence["id"].Text() switch { "A" => TemplateSlot.First, "B" => TemplateSlot.Second, _ => throw sequence["id"].Wrong("A or B") };
                parts.Add(new TemplatePart(slot, [], sequence["type_id"].Number(0)));
                continue;
            }
            string name = token["id"].Text();
            int[] ids = [.. special[name]["ids"].Items().Select(i => i.Number())];
            if (ids.Length == 0)
                throw token["id"].Wrong("a name that special_tokens has");
            parts.Add(new TemplatePart(TemplateSlot.Special, ids, token["type_id"].Number(0), name));
        }
        return parts;
    }

    private static TokenDecoder? ReadDecoder(JsonPlace p)
    {
        if (p.IsNull)
            return null;
        string type = p["type"].Text();
        switch (type)
        {
            case "Sequence":
                return new DecoderSequence([.. p["decoders"].Items().Select(i => ReadDecoder(i) ?? throw Missing(i))]);
            case "ByteLevel":
                return new ByteLevelDecoder();
            case "ByteFallback":
                return new ByteFallbackDecoder();
            case "Fuse":
                return new FuseDecoder();
            case "WordPiece":
                return new WordPieceDecoder(p["prefix"].Text("##"), p["cleanup"].Flag(true));
            case "Metaspace":
                return new MetaspaceDecoder(p["replacement"].Character(new Rune('▁')), ReadScheme(p), p["split"].Flag(true));
            case "BPEDecoder":
                return new BpeSuffixDecoder(p["suffix"].Text("</w>"));
            case "CTC":
                return new CtcDecoder(p["pad_token"].Text("<pad>"), p["word_delimiter_token"].Text("|"), p["cleanup"].Flag(true));
            case "Strip":
                return new StripDecoder(p["content"].Character(new Rune(' ')), p["start"].Number(0), p["stop"].Number(0));
            case "Replace":
                (string pattern, bool isRegex) = ReadPattern(p["pattern"]);
                return new ReplaceDecoder(pattern, isRegex, p["content"].Text());
            default:
                throw p.Unknown("decoder", type);
        }
    }

    private static Truncation? ReadTruncation(JsonPlace p)
    {
        if (p.IsNull)
            return null;
        TruncationStrategy strategy = p["strategy"].Text("LongestFirst") switch
        {
            nameof(TruncationStrategy.LongestFirst) => TruncationStrategy.LongestFirst,
            nameof(TruncationStrategy.OnlyFirst) => TruncationStrategy.OnlyFirst,
            nameof(TruncationStrategy.OnlySecond) => TruncationStrategy.OnlySecond,
            _ => throw p["strategy"].Wrong("LongestFirst, OnlyFirst or OnlySecond"),
        };
        return new Truncation(p["max_length"].Number(), strategy, p["stride"].Number(0), ReadSide(p["direction"]));
    }

    private static Padding? ReadPadding(JsonPlace p)
    {
        if (p.IsNull)
            return null;
        JsonPlace strategy = p["strategy"];
        int? length = strategy.Element.ValueKind == JsonValueKind.Object ? strategy["Fixed"].Number() : null;
        int? multiple = p["pad_to_multiple_of"].IsNull ? null : p["pad_to_multiple_of"].Number();
        return new Padding(p["pad_id"].Number(0), p["pad_token"].Text("[PAD]"), p["pad_type_id"].Number(0), length, ReadSide(p["direction"]), multiple);
    }

    private static TextSide ReadSide(JsonPlace p) => p.Text("Right") switch
    {
        nameof(TextSide.Left) => TextSide.Left,
        nameof(TextSide.Right) => TextSide.Right,
        _ => throw p.Wrong("Left or Right"),
    };

    private sealed record ModelContext(bool ByteLevel, Func<int, bool> IsAdded, Task<EarlyMerges?>? EarlyMerges);
}
