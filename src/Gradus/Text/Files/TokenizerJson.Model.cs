using System.Text;
using System.Text.Json;

namespace Gradus.Text;

// The model of tokenizer.json, read in one pass where its properties come in the usual order.
public static partial class TokenizerJson
{
    private static TokenModel ReadModel(ref Utf8JsonReader reader, ReadOnlySpan<byte> utf8, ModelContext context)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new InvalidDataException("model: expected an object.");
        ModelContent content = new(context);
        int vocabulary = -1;
        int merges = -1;
        int shift = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            if ((name == "merges" && content.Vocabulary is not null) || (name == "vocab" && content.Settings.ContainsKey("type")))
            {
                int value = shift + (int)reader.BytesConsumed;
                int after = name == "merges" ? content.TryReadMerges(utf8, value) : content.TryReadVocabulary(utf8, value);
                if (after >= 0)
                {
                    reader = Resume(reader.CurrentState, utf8[after..]);
                    shift = after;
                    continue;
                }
            }
            reader.Read();
            if (name == "vocab" && content.Settings.ContainsKey("type"))
            {
                content.ReadVocabulary(ref reader);
            }
            else if (name == "merges" && content.Vocabulary is not null)
            {
                content.ReadMerges(ref reader);
            }
            else if (name is "vocab" or "merges")
            {
                if (name == "vocab")
                    vocabulary = shift + (int)reader.TokenStartIndex;
                else
                    merges = shift + (int)reader.TokenStartIndex;
                reader.Skip();
            }
            else
            {
                using JsonDocument document = JsonDocument.ParseValue(ref reader);
                content.Settings[name] = new JsonPlace(document.RootElement.Clone(), $"model.{name}");
            }
        }
        if (vocabulary >= 0)
        {
            Utf8JsonReader later = new(utf8[vocabulary..], ReaderOptions);
            later.Read();
            content.ReadVocabulary(ref later);
        }
        if (merges >= 0 && content.Vocabulary is not null)
        {
            Utf8JsonReader later = new(utf8[merges..], ReaderOptions);
            later.Read();
            content.ReadMerges(ref later);
        }
        return content.Build();
    }

    /// <summary>A reader that goes on after a value that was read without it.</summary>
    private static Utf8JsonReader Resume(JsonReaderState beforeValue, ReadOnlySpan<byte> rest)
    {
        Utf8JsonReader value = new("0 "u8, isFinalBlock: false, beforeValue);
        value.Read();
        return new Utf8JsonReader(rest, isFinalBlock: true, value.CurrentState);
    }

    /// <summary>What has been read of the model so far.</summary>
    private sealed partial class ModelContent(ModelContext context)
    {
        private readonly List<double> _scores = [];
        private Merge[] _merges = [];
        private byte[] _text = new byte[256];

        public Dictionary<string, JsonPlace> Settings { get; } = [];

        public Vocabulary? Vocabulary { get; private set; }

        private string Type => this["type"].Text("");

        private int PrefixLength => Encoding.UTF8.GetByteCount(this["continuing_subword_prefix"].Text(""));

        private bool IsByteLevel => context.ByteLevel && Type is "BPE" or "" && IsEmpty("continuing_subword_prefix") && IsEmpty("end_of_word_suffix");

        private JsonPlace this[string name] => Settings.TryGetValue(name, out JsonPlace? setting) ? setting : new JsonPlace(default, $"model.{name}");

        public void ReadVocabulary(ref Utf8JsonReader reader)
        {
            if (reader.TokenType == JsonTokenType.StartArray)
            {
                ReadScoredVocabulary(ref reader);
                return;
            }
            if (reader.TokenType != JsonTokenType.StartObject)
                throw new InvalidDataException("model.vocab: expected an object of tokens and ids.");
            Vocabulary.Builder builder = new(IsByteLevel, 1 << 15);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                int length = 0;
                ReadOnlySpan<byte> token = reader.ValueSpan;
                if (reader.ValueIsEscaped)
                {
                    length = CopyText(ref reader, "model.vocab");
                    token = _text.AsSpan(0, length);
                }
                if (!reader.Read() || reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out int id))
                    throw new InvalidDataException($"model.vocab: the token \"{Encoding.UTF8.GetString(token)}\" has no whole number as its id.");
                try
                {
                    builder.AddText(token, id);
                }
                catch (InvalidDataException e)
                {
                    throw new InvalidDataException($"model.vocab: {e.Message}", e);
                }
            }
            Vocabulary = builder.Build("model.vocab", context.IsAdded);
        }

        /// <summary>A unigram model lists tokens with their scores; the place in the list is the id.</summary>
        private void ReadScoredVocabulary(ref Utf8JsonReader reader)
        {
            Vocabulary.Builder builder = new(byteLevel: false, 1 << 15);
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                string place = $"model.vocab[{_scores.Count}]";
                if (reader.TokenType != JsonTokenType.StartArray || !reader.Read() || reader.TokenType != JsonTokenType.String)
                    throw new InvalidDataException($"{place}: expected a token and its score.");
                builder.Add(_text.AsSpan(0, CopyText(ref reader, place)), _scores.Count);
                if (!reader.Read() || reader.TokenType != JsonTokenType.Number || !reader.TryGetDouble(out double score) || !double.IsFinite(score)
                    || !reader.Read() || reader.TokenType != JsonTokenType.EndArray)
                {
                    throw new InvalidDataException($"{place}: expected a token and its score.");
                }
                _scores.Add(score);
            }
            Vocabulary = builder.Build("model.vocab", allowDuplicates: true);
        }

        public void ReadMerges(ref Utf8JsonReader reader)
        {
            if (reader.TokenType == JsonTokenType.Null)
                return;
            if (reader.TokenType != JsonTokenType.StartArray)
                throw new InvalidDataException("model.merges: expected a list.");
            MergeTexts texts = new();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                string place = $"model.merges[{texts.Count}]";
                if (reader.TokenType is not (JsonTokenType.String or JsonTokenType.StartArray))
                    throw new InvalidDataException($"{place}: expected a text or a list of two tokens.");
                bool isList = reader.TokenType == JsonTokenType.StartArray;
                if (isList && (!reader.Read() || reader.TokenType != JsonTokenType.String))
                    throw new InvalidDataException($"{place}: expected a list of two tokens.");
                ReadOnlySpan<byte> first = _text.AsSpan(0, CopyText(ref reader, place));
                ReadOnlySpan<byte> second;
                if (isList)
                {
                    first = first.ToArray();
                    if (!reader.Read() || reader.TokenType != JsonTokenType.String)
                        throw new InvalidDataException($"{place}: expected a list of two tokens.");
                    second = _text.AsSpan(0, CopyText(ref reader, place));
                    if (!reader.Read() || reader.TokenType != JsonTokenType.EndArray)
                        throw new InvalidDataException($"{place}: expected a list of two tokens.");
                }
                else
                {
                    int space = first.IndexOf((byte)' ');
                    if (space < 0 || first[(space + 1)..].Contains((byte)' '))
                        throw new InvalidDataException($"{place}: expected two tokens with one space between them.");
                    second = first[(space + 1)..];
                    first = first[..space];
                }
                texts.Add(first, second);
            }
            _merges = texts.Resolve(Vocabulary!, PrefixLength, "model.merges");
        }

        public TokenModel Build()
        {
            if (Vocabulary is null)
                throw new InvalidDataException("model: there is no \"vocab\".");
            string type = Type;
            if (type.Length == 0 && _scores.Count > 0)
                type = "Unigram";
            if (type.Length == 0)
                type = Settings.ContainsKey("continuing_subword_prefix") && _merges.Length == 0 ? "WordPiece" : _merges.Length > 0 ? "BPE" : "WordLevel";
            return type switch
            {
                "BPE" => Bpe.FromMerges(Vocabulary, _merges, new BpeOptions(
                    this["unk_token"].TextOrNull(),
                    NullIfEmpty(this["continuing_subword_prefix"].TextOrNull()),
                    NullIfEmpty(this["end_of_word_suffix"].TextOrNull()),
                    this["fuse_unk"].Flag(false),
                    this["byte_fallback"].Flag(false),
                    this["ignore_merges"].Flag(false))),
                "WordPiece" => new WordPiece(Vocabulary, this["unk_token"].Text("[UNK]"), this["continuing_subword_prefix"].Text("##"), this["max_input_chars_per_word"].Number(100)),
                "Unigram" => new Unigram(Vocabulary, [.. _scores], UnknownOfUnigram(), this["byte_fallback"].Flag(false)),
                "WordLevel" => new WordLevel(Vocabulary, this["unk_token"].Text("<unk>")),
                _ => throw new InvalidDataException($"model.type: the model \"{type}\" is not known; BPE, WordPiece, Unigram and WordLevel are."),
            };
        }

        private int UnknownOfUnigram()
        {
            JsonPlace id = this["unk_id"];
            if (_scores.Count == 0)
                throw new InvalidDataException("model.vocab: a unigram model needs at least one token with a score.");
            if (id.IsNull)
                return -1;
            return id.Number() is var n && n >= 0 && n < _scores.Count ? n : throw id.Wrong("the id of a token");
        }

        private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;

        private bool IsEmpty(string name) => string.IsNullOrEmpty(this[name].TextOrNull());

        private int CopyText(ref Utf8JsonReader reader, string place)
        {
            if (_text.Length < reader.ValueSpan.Length)
                _text = new byte[reader.ValueSpan.Length * 2];
            try
            {
                return reader.CopyString(_text);
            }
            catch (InvalidOperationException e)
            {
                throw new InvalidDataException($"{place}: the text {Encoding.UTF8.GetString(reader.ValueSpan)} holds half a surrogate pair.", e);
            }
        }
    }
}
