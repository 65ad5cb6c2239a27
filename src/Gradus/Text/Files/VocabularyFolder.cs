// A tokenizer's folder without tokenizer.json: the vocabulary that the class reads, and what the class and the files beside it say.
// Source: transformers 4, the tokenizers of each class and their conversions (convert_slow_tokenizer.py).
// A SentencePiece model stays one (SentencePieceAssembly.cs), so that ids are SentencePiece's own.


namespace Gradus.Text;

/// <summary>Reads a tokenizer from its class's own vocabulary files.</summary>
internal sealed class VocabularyFolder
{
    private static readonly (VocabularyForm Form, string[] Names)[] Files =
    [
        (VocabularyForm.BytePairs, ["vocab.json", "merges.txt"]),
        (VocabularyForm.SentencePiece, ["tokenizer.model"]),
        (VocabularyForm.SentencePiece, ["spiece.model"]),
        (VocabularyForm.SentencePiece, ["sentencepiece.bpe.model"]),
        (VocabularyForm.SentencePiece, ["spm.model"]),
        (VocabularyForm.WordPieces, ["vocab.txt"]),
    ];

    private readonly TokenizerSettings _settings;
    private readonly TokenizerFamily _family;
    private readonly AddedTokenTable _added = new();

    private VocabularyFolder(TokenizerSettings settings, TokenizerFamily family) => (_settings, _family) = (settings, family);

    /// <summary>The vocabulary file of a folder, or null where it has none that is known.</summary>
    public static (VocabularyForm Form, string Path)? Find(string folder, VocabularyForm? wanted = null)
    {
        foreach ((VocabularyForm form, string[] names) in Files)
        {
            if ((wanted is null || wanted == form) && names.All(n => File.Exists(Path.Combine(folder, n))))
                return (form, Path.Combine(folder, names[0]));
        }
        return null;
    }

    /// <summary>Reads a folder; null where no file says what class it has, so that only the vocabulary counts.</summary>
    /// <exception cref="InvalidDataException">The class, or a setting of it, is not known; or a file cannot be read.</exception>
    public static Tokenizer? TryLoad(TokenizerSettings settings)
    {
        (string? ofModel, string? modelType) = settings.OfModel();
        string? name = settings.ClassName ?? ofModel;
        TokenizerFamily? family = TokenizerFamily.Find(name) ?? (name is null ? TokenizerFamily.OfModel(modelType) : null);
        if (name is not null && family is null)
            throw Unknown(settings, name);
        if (family is null || Find(settings.Folder, family.Form) is not { } file)
            return null;
        VocabularyFolder folder = new(settings, family);
        try
        {
            return folder.Load(file.Path);
        }
        catch (InvalidDataException e) when (!e.Message.StartsWith(settings.Folder, StringComparison.Ordinal))
        {
            throw new InvalidDataException(OneLine.Of($"{settings.ConfigPath}: {e.Message}"), e);
        }
    }

    private static InvalidDataException Unknown(TokenizerSettings settings, string name)
    {
        string known = string.Join(", ", TokenizerFamily.All.Select(f => f.Classes[0]));
        return new InvalidDataException(name == "PreTrainedTokenizerFast"
            ? $"{settings.ConfigPath}: tokenizer_class: PreTrainedTokenizerFast is read from tokenizer.json, which is missing; get that file too."
            : $"{settings.ConfigPath}: tokenizer_class: {name} is not known without a tokenizer.json; save one with transformers (AutoTokenizer.from_pretrained(…, use_fast=True).save_pretrained). Known are {known}.");
    }

    private Tokenizer Load(string path)
    {
        Refuse("never_split", p => p.Items().Any(), "words that are never split are not supported; put them into added_tokens_decoder");
        Refuse("sp_model_kwargs", p => p["enable_sampling"].Flag(false), "sampled segmentation is not supported; set enable_sampling to false");
        SpecialTokens special = _settings.Special(_family.Special);
        TokenizerParts parts = _family.Form switch
        {
            VocabularyForm.SentencePiece => SentencePiece(path),
            VocabularyForm.BytePairs => BytePairs(path),
            _ => WordPieces(path, special),
        };
        foreach (AddedToken token in _settings.Added.Values)
            _added.Put(token);
        foreach (AddedToken token in _settings.Mentioned(_family.Special, _family.Token))
            _added.Add(token with { Special = true }, parts.Model.Vocabulary);
        foreach (string token in _family.More)
            _added.Add(new AddedToken(TokenizerSettings.NoId, token), parts.Model.Vocabulary);
        bool prefix = _settings["add_prefix_space"].Flag(false);
        return new Tokenizer(parts with
        {
            AddedTokens = _added.Tokens,
            SpecialTokens = special,
            SpecialTokenPolicy = _settings["split_special_tokens"].Flag(false) ? SpecialTokenPolicy.Text : SpecialTokenPolicy.Find,
            PostProcessor = _family.PostProcessor(special, (_, token) => _added.IdOf(token) ?? parts.Model.Vocabulary.Find(token)!.Value,
                _settings["add_bos_token"].Flag(_family.AddsBos), _settings["add_eos_token"].Flag(false), prefix)
                ?? parts.PostProcessor,
        });
    }

    private void Refuse(string key, Func<JsonPlace, bool> asks, string reason)
    {
        JsonPlace setting = _settings[key];
        if (!setting.IsNull && asks(setting))
            throw new InvalidDataException($"{setting.Path}: {reason}.");
    }

    private TokenizerParts BytePairs(string path)
    {
        Tokenizer plain = Gpt2Files.Load(path, Path.Combine(Path.GetDirectoryName(path)!, "merges.txt"));
        bool prefix = _settings["add_prefix_space"].Flag(false);
        bool qwen = _family.Classes[0] == "Qwen2Tokenizer";
        ByteLevelPreTokenizer bytes = new(prefix, trimOffsets: true, useRegex: !qwen, keepBytes: true);
        return plain.Parts with
        {
            Normalizer = qwen ? new UnicodeNormalizer(NormalForm.Nfc) : null,
            PreTokenizer = qwen ? new PreTokenizerSequence([new SplitPreTokenizer(PatternSplitter.Qwen2Pattern), bytes]) : bytes,
        };
    }

    private TokenizerParts WordPieces(string path, SpecialTokens special)
    {
        bool lower = _settings["do_lower_case"].Flag(true);
        bool? strip = _settings["strip_accents"].IsNull ? null : _settings["strip_accents"].Flag(false);
        bool basic = _settings["do_basic_tokenize"].Flag(true);
        string unknown = special.Unknown ?? throw new InvalidDataException($"unk_token is null, but {_family.Classes[0]} needs one; name it.");
        return new TokenizerParts(new WordPiece(BertVocabulary.Read(path), unknown))
        {
            Normalizer = basic ? new BertNormalizer(true, _settings["tokenize_chinese_chars"].Flag(true), strip, lower) : null,
            PreTokenizer = basic ? new BertPreTokenizer() : new WhitespaceSplit(),
            Decoder = new WordPieceDecoder(),
        };
    }

    private TokenizerParts SentencePiece(string path)
    {
        SentencePieceSpec spec = SentencePieceSpec.Read(File.ReadAllBytes(path), path);
        if (_family.FairseqIds)
            spec = spec.WithFairseqIds(_family.Special);
        if (_family.KnowsLegacy)
        {
            JsonPlace prefix = _settings["add_prefix_space"];
            spec.PrefixFirstOnly = !_settings["legacy"].Flag(true);
            spec.AddDummyPrefix = prefix.Flag(spec.PrefixFirstOnly || spec.AddDummyPrefix);
        }
        if (_family.PreparesText)
            spec.DownrankDigitsWithComma();
        Tokenizer plain = SentencePieceAssembly.Build(spec, addBos: false, addEos: false);
        foreach (AddedToken token in plain.Parts.AddedTokens)
            _added.Put(token);
        AddSentinels(spec.Pieces.Count);
        return _family.PreparesText ? Prepared(plain) : plain.Parts;
    }

    private void AddSentinels(int pieces)
    {
        if (_family.ExtraIds == 0)
            return;
        int count = _settings["extra_ids"].Number(_family.ExtraIds);
        int listed = _settings.Additional.Count(t => t.Content.Contains("<extra_id_", StringComparison.Ordinal));
        if (listed > 0 && count > 0 && listed != count)
            throw new InvalidDataException($"extra_ids is {count}, but {listed} of the additional_special_tokens are sentinels (<extra_id_0> and so on); make both the same.");
        if (count is < 0 or > 1 << 20)
            throw _settings["extra_ids"].Wrong("a number from 0 to 1,048,576");
        for (int i = 0; i < count; i++)
            _added.Put(new AddedToken(pieces + count - 1 - i, $"<extra_id_{i}>", LeftStrip: true, RightStrip: true));
    }

    /// <summary>Quotes and accents first, as in XLNet's and ALBERT's own tokenizers.</summary>
    private TokenizerParts Prepared(Tokenizer plain)
    {
        List<Normalizer> first = [new ReplaceNormalizer("``", isRegex: false, "\""), new ReplaceNormalizer("''", isRegex: false, "\"")];
        if (!_settings["keep_accents"].Flag(false))
        {
            first.Add(new UnicodeNormalizer(NormalForm.Nfkd));
            first.Add(new StripAccentsNormalizer());
        }
        if (_settings["do_lower_case"].Flag(_family.Classes[0] == "AlbertTokenizer"))
            first.Add(new LowercaseNormalizer());
        TokenizerParts parts = SentencePieceConversion.Convert(plain);
        return parts with { Normalizer = new NormalizerSequence([.. first, .. parts.Normalizer is NormalizerSequence rest ? rest.Parts : []]) };
    }
}
