namespace Gradus.Text;

/// <content>The way into a GGUF file.</content>
public static partial class GgufVocabulary
{
    private const int Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6;

    /// <summary>The metadata that stands for a tokenizer, by the keys <c>tokenizer.*</c>.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="rows">
    /// Rows of the model's embedding, at least as many as the vocabulary has tokens; ids without a token get a name of their own, and
    /// added tokens without a row, which the model cannot read, are left out.
    /// </param>
    /// <returns>Keys and values: texts, flags, u32, and arrays of texts, f32, i32 and bytes.</returns>
    /// <exception cref="NotSupportedException">GGUF has no form for such a tokenizer; the message says why.</exception>
    public static IReadOnlyList<KeyValuePair<string, object>> Write(Tokenizer tokenizer, int rows)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, tokenizer.Parts.Model.Vocabulary.Count);
        if (tokenizer.Parts.Normalizer is SentencePieceNormalizer { IsSuffix: true })
            throw new NotSupportedException("GGUF has no form for a SentencePiece model with white space as a suffix.");
        VocabularyWriter writer = new(tokenizer, rows);
        switch (Inner(tokenizer.Parts.Model))
        {
            case Bpe bpe when bpe.Vocabulary.IsByteLevel:
                writer.ByteLevel(bpe);
                break;
            case Bpe { Options: { ContinuingSubwordPrefix: null, EndOfWordSuffix: null } } bpe when writer.MarksSpaces:
                writer.SentencePiece("llama", bpe.Options.ByteFallback, bpe.Scores(), bpe.IsUnused);
                break;
            case Unigram unigram:
                writer.SentencePiece("t5", unigram.ByteFallback, [.. Enumerable.Range(0, unigram.Vocabulary.Count).Select(id => (float)unigram.Score(id))], _ => false);
                break;
            case WordPiece { Prefix: "##" }:
                writer.WordPiece();
                break;
            default:
                throw new NotSupportedException($"GGUF has no form for a tokenizer of this kind ({tokenizer.Parts.Model.GetType().Name}); it has them for byte-level BPE, SentencePiece and WordPiece.");
        }
        return writer.Finish();
    }

    private static TokenModel Inner(TokenModel model) => model is UserDefinedSymbols symbols ? symbols.Inner : model;

    private sealed class VocabularyWriter
    {
        private readonly List<KeyValuePair<string, object>> _pairs = [];
        private readonly Tokenizer _tokenizer;
        private readonly string[] _texts;
        private readonly int[] _kinds;

        public VocabularyWriter(Tokenizer tokenizer, int rows)
        {
            _tokenizer = tokenizer;
            _texts = new string[rows];
            _kinds = new int[rows];
            HashSet<int> added = [.. tokenizer.Parts.AddedTokens.Select(a => a.Id)];
            if (tokenizer.Parts.Normalizer is SentencePieceNormalizer normalizer)
                added.UnionWith(normalizer.UserDefinedIds);
            for (int id = 0; id < rows; id++)
            {
                string? text = tokenizer.IdToToken(id);
                _texts[id] = text ?? $"[PAD{id}]";
                _kinds[id] = text is null ? Unused : tokenizer.IsSpecial(id) ? Control : added.Contains(id) ? UserDefined : Normal;
            }
        }

        /// <summary>Whether spaces become ▁, as llama.cpp takes for granted.</summary>
        public bool MarksSpaces => _tokenizer.Parts.PreTokenizer is MetaspacePreTokenizer
            || Flatten(_tokenizer.Parts.Normalizer).Any(n => n is SentencePieceNormalizer or ReplaceNormalizer);

        public void ByteLevel(Bpe bpe)
        {
            Set("model", "gpt2");
            Set("pre", GgufPatterns.NameOf(_tokenizer.Parts.PreTokenizer, bpe.Options.IgnoreMerges));
            Set("tokens", _texts);
            Set("token_type", _kinds);
            Set("merges", bpe.ListMerges().Select(m => $"{bpe.Vocabulary.GetToken(m.Left)} {bpe.Vocabulary.GetToken(m.Right)}").ToArray());
        }

        public void SentencePiece(string model, bool byteFallback, float[] scores, Func<int, bool> isUnused)
        {
            float[] all = new float[_texts.Length];
            float least = scores.Length == 0 ? 0 : scores.Min();
            for (int id = 0; id < all.Length; id++)
            {
                all[id] = _kinds[id] is Control or UserDefined ? 0 : id < scores.Length ? scores[id] : least;
                if (id == _tokenizer.UnknownId)
                    _kinds[id] = Unknown;
                else if (byteFallback && _kinds[id] == Normal && IsByte(_texts[id]))
                    _kinds[id] = Byte;
                else if (_kinds[id] == Normal && isUnused(id))
                    _kinds[id] = Unused;
            }
            Set("model", model);
            Set("pre", "default");
            Set("tokens", _texts);
            Set("scores", all);
            Set("token_type", _kinds);
            WriteNormalizer();
        }

        public void WordPiece()
        {
            Set("model", "bert");
            Set("pre", "default");
            // Beginnings of words are marked in GGUF, continuations in vocab.txt.
            Set("tokens", _texts.Select((t, id) => _kinds[id] is Control or Unused || (t.StartsWith('[') && t.EndsWith(']')) ? t
                : t.StartsWith("##", StringComparison.Ordinal) ? t[2..] : "▁" + t).ToArray());
            Set("scores", new float[_texts.Length]);
            Set("token_type", _kinds);
        }

        public List<KeyValuePair<string, object>> Finish()
        {
            // Around a text llama.cpp puts these two, whatever the tokenizer calls them: BERT's are [CLS] and [SEP].
            SetId("bos_token_id", _tokenizer.BosId ?? _tokenizer.ClassifierId);
            SetId("eos_token_id", _tokenizer.EosId ?? _tokenizer.SeparatorId);
            SetId("unknown_token_id", _tokenizer.UnknownId);
            SetId("seperator_token_id", _tokenizer.SeparatorId);
            SetId("padding_token_id", _tokenizer.PadId);
            SetId("cls_token_id", _tokenizer.ClassifierId);
            SetId("mask_token_id", _tokenizer.MaskId);
            IReadOnlyList<TemplatePart> around = _tokenizer.Parts.PostProcessor?.Single ?? [];
            int text = around.TakeWhile(p => p.Slot != TemplateSlot.First).Count();
            Set("add_bos_token", Holds(around.Take(text), _tokenizer.BosId ?? _tokenizer.ClassifierId));
            Set("add_eos_token", Holds(around.Skip(text), _tokenizer.EosId ?? _tokenizer.SeparatorId));
            if (_tokenizer.Parts.ChatTemplate is { } template)
                _pairs.Add(new("tokenizer.chat_template", template));
            return _pairs;
        }

        private static bool Holds(IEnumerable<TemplatePart> parts, int? id) => id is { } wanted && parts.Any(p => p.Slot == TemplateSlot.Special && p.Ids.Contains(wanted));

        private static bool IsByte(string text) => text.Length == 6 && text.StartsWith("<0x", StringComparison.Ordinal) && text[5] == '>';

        private void WriteNormalizer()
        {
            if (_tokenizer.Parts.Normalizer is SentencePieceNormalizer own)
            {
                Set("add_space_prefix", own.AddDummyPrefix);
                Set("remove_extra_whitespaces", own.RemoveExtraWhitespaces);
                if (own.CharsmapBlob.Length > 0)
                    Set("precompiled_charsmap", own.CharsmapBlob);
                return;
            }
            Normalizer[] parts = [.. Flatten(_tokenizer.Parts.Normalizer)];
            Set("add_space_prefix", parts.Any(p => p is PrependNormalizer) || _tokenizer.Parts.PreTokenizer is MetaspacePreTokenizer { Scheme: not PrependScheme.Never });
            Set("remove_extra_whitespaces", parts.Any(p => p is StripNormalizer or ReplaceNormalizer { IsRegex: true }));
            if (parts.OfType<PrecompiledNormalizer>().FirstOrDefault() is { } charsmap)
                Set("precompiled_charsmap", charsmap.Blob);
        }

        private static IEnumerable<Normalizer> Flatten(Normalizer? normalizer) => normalizer switch
        {
            null => [],
            NormalizerSequence sequence => sequence.Parts.SelectMany(Flatten),
            _ => [normalizer],
        };

        private void Set(string key, object value) => _pairs.Add(new(Prefix + key, value));

        private void SetId(string key, int? id)
        {
            if (id is { } value && value < _texts.Length)
                Set(key, (uint)value);
        }
    }
}
