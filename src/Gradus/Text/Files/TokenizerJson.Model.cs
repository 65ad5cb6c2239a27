using System.Runtime.CompilerServices;
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
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
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
                    vocabulary = (int)reader.TokenStartIndex;
                else
                    merges = (int)reader.TokenStartIndex;
                reader.Skip();
            }
            else
            {
                using JsonDocument document = JsonDocument.ParseValue(ref reader);
                content.Settings[name] = document.RootElement.Clone();
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

    /// <summary>What has been read of the model so far.</summary>
    private sealed class ModelContent(ModelContext context)
    {
        private readonly List<Merge> _merges = [];
        private readonly List<double> _scores = [];
        private byte[] _text = new byte[256];
        private byte[] _joined = new byte[256];

        public Dictionary<string, JsonElement> Settings { get; } = [];

        public Vocabulary? Vocabulary { get; private set; }

        private string Type => this["type"].Text("");

        private JsonPlace this[string name] => new(Settings.TryGetValue(name, out JsonElement e) ? e : default, $"model.{name}");

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void ReadVocabulary(ref Utf8JsonReader reader)
        {
            if (reader.TokenType == JsonTokenType.StartArray)
            {
                ReadScoredVocabulary(ref reader);
                return;
            }
            bool byteLevel = context.ByteLevel && Type is "BPE" or "" && IsEmpty("continuing_subword_prefix") && IsEmpty("end_of_word_suffix");
            if (reader.TokenType != JsonTokenType.StartObject)
                throw new InvalidDataException("model.vocab: expected an object of tokens and ids.");
            Vocabulary.Builder builder = new(byteLevel, 1 << 15);
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

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void ReadMerges(ref Utf8JsonReader reader)
        {
            if (reader.TokenType == JsonTokenType.Null)
                return;
            if (reader.TokenType != JsonTokenType.StartArray)
                throw new InvalidDataException("model.merges: expected a list.");
            int prefix = Encoding.UTF8.GetByteCount(this["continuing_subword_prefix"].Text(""));
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                int left;
                int right;
                if (reader.TokenType == JsonTokenType.String)
                {
                    int length = CopyText(ref reader, $"model.merges[{_merges.Count}]");
                    int space = _text.AsSpan(0, length).IndexOf((byte)' ');
                    if (space < 0 || _text.AsSpan(space + 1, length - space - 1).Contains((byte)' '))
                        throw BadMerge("expected two tokens with one space between them");
                    left = FindPart(0, space);
                    right = FindPart(space + 1, length);
                }
                else if (reader.TokenType == JsonTokenType.StartArray)
                {
                    left = ReadPart(ref reader);
                    right = ReadPart(ref reader);
                    if (!reader.Read() || reader.TokenType != JsonTokenType.EndArray)
                        throw BadMerge("expected a list of two tokens");
                }
                else
                {
                    throw BadMerge("expected a text or a list of two tokens");
                }
                _merges.Add(new Merge(left, right, FindJoined(left, right, prefix)));
            }
        }

        public TokenModel Build()
        {
            if (Vocabulary is null)
                throw new InvalidDataException("model: there is no \"vocab\".");
            string type = Type;
            if (type.Length == 0 && _scores.Count > 0)
                type = "Unigram";
            if (type.Length == 0)
                type = Settings.ContainsKey("continuing_subword_prefix") && _merges.Count == 0 ? "WordPiece" : _merges.Count > 0 ? "BPE" : "WordLevel";
            return type switch
            {
                "BPE" => Bpe.FromMerges(Vocabulary, [.. _merges], new BpeOptions(
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

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private int ReadPart(ref Utf8JsonReader reader)
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.String)
                throw BadMerge("expected a list of two tokens");
            return FindPart(0, CopyText(ref reader, $"model.merges[{_merges.Count}]"));
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private int FindPart(int start, int end)
        {
            ReadOnlySpan<byte> text = _text.AsSpan(start, end - start);
            int id;
            if (Vocabulary!.IsByteLevel)
            {
                if (_joined.Length < text.Length)
                    _joined = new byte[text.Length];
                id = ByteAlphabet.TryToBytes(text, _joined, out int n) ? Vocabulary.Find(_joined.AsSpan(0, n)) : -1;
            }
            else
            {
                id = Vocabulary.Find(text);
            }
            return id >= 0 && !text.IsEmpty ? id : throw BadMerge($"the token \"{Encoding.UTF8.GetString(text)}\" is not in the vocabulary");
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private int FindJoined(int left, int right, int prefix)
        {
            ReadOnlySpan<byte> a = Vocabulary!.GetBytes(left);
            ReadOnlySpan<byte> b = Vocabulary.GetBytes(right);
            if (prefix >= b.Length)
                prefix = prefix == b.Length && prefix > 0 ? throw BadMerge("its second token is nothing but the prefix, so that it would join to its own first part") : 0;
            b = b[prefix..];
            if (_joined.Length < a.Length + b.Length)
                _joined = new byte[2 * (a.Length + b.Length)];
            a.CopyTo(_joined);
            b.CopyTo(_joined.AsSpan(a.Length));
            int id = Vocabulary.Find(_joined.AsSpan(0, a.Length + b.Length));
            return id >= 0 ? id : throw BadMerge($"\"{Vocabulary.GetToken(left)}\" and \"{Vocabulary.GetToken(right)}\" join to a token that is not in the vocabulary");
        }

        private InvalidDataException BadMerge(string what) => new($"model.merges[{_merges.Count}]: {what}.");

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
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
