// What tokenizer_config.json and the files beside it change of a tokenizer.json. Source: transformers 4, tokenization_utils_fast.py
// (tokens that the file lacks are added; a pre-tokenizer's prefix space) and the fast classes (update_post_processor of Llama and
// Gemma; the normalizer of BERT's descendants; prefix space and offsets of GPT-2's and RoBERTa's).

namespace Gradus.Text;

/// <summary>Brings a tokenizer.json up to what the files beside it say.</summary>
internal sealed class TokenizerUpdate(TokenizerParts parts, TokenizerSettings settings)
{
    private readonly TokenizerFamily? _family = TokenizerFamily.Find(settings.ClassName);
    private readonly AddedTokenTable _added = new();

    /// <summary>The parts with all that the files say.</summary>
    /// <exception cref="InvalidDataException">A setting has a wrong value, or names a token that is missing.</exception>
    public TokenizerParts Apply()
    {
        Vocabulary vocabulary = parts.Model.Vocabulary;
        foreach (AddedToken token in parts.AddedTokens)
            _added.Put(token);
        foreach (AddedToken token in settings.Added.Values)
            AddWithId(token, vocabulary);
        foreach (AddedToken token in settings.Mentioned(SpecialTokens.None, (_, content) => new AddedToken(TokenizerSettings.NoId, content)))
            _added.Add(token with { Special = true }, vocabulary);
        SpecialTokens special = settings.Special(Known(_family?.Special, vocabulary) ?? parts.SpecialTokens);
        return parts with
        {
            Normalizer = Normalizer(),
            PreTokenizer = PreTokenizer(),
            PostProcessor = PostProcessor(special, vocabulary),
            AddedTokens = _added.Tokens,
            SpecialTokens = special,
            SpecialTokenPolicy = settings["split_special_tokens"].Flag(false) ? SpecialTokenPolicy.Text : settings.NamesTokens ? SpecialTokenPolicy.Find : parts.SpecialTokenPolicy,
        };
    }

    /// <summary>A token that the vocabulary has keeps that id, as in tokenizer.json itself; an id that another token has is refused.</summary>
    private void AddWithId(AddedToken token, Vocabulary vocabulary)
    {
        int id = _added.IdOf(token.Content) ?? vocabulary.Find(token.Content) ?? token.Id;
        string? other = _added.Find(id)?.Content ?? vocabulary.GetToken(id);
        if (other is not null && other != token.Content)
            throw new InvalidDataException($"{settings.ConfigPath}.added_tokens_decoder: \"{token.Content}\" has the id {id}, which tokenizer.json gives to \"{other}\". Take the two files from one model.");
        _added.Put(token with { Id = id });
    }

    /// <summary>Of a class's own special tokens those that there are.</summary>
    private SpecialTokens? Known(SpecialTokens? ofClass, Vocabulary vocabulary)
    {
        if (ofClass is null)
            return null;
        string? Keep(string? token, string? guess) => token is not null && (_added.IdOf(token) is not null || vocabulary.Find(token) is not null) ? token : guess;
        SpecialTokens guess = parts.SpecialTokens;
        return new SpecialTokens(Keep(ofClass.Bos, guess.Bos), Keep(ofClass.Eos, guess.Eos), Keep(ofClass.Unknown, guess.Unknown), Keep(ofClass.Pad, guess.Pad),
            Keep(ofClass.Separator, guess.Separator), Keep(ofClass.Classifier, guess.Classifier), Keep(ofClass.Mask, guess.Mask));
    }

    private Normalizer? Normalizer()
    {
        JsonPlace prefix = settings["add_prefix_space"];
        if (_family is { Form: VocabularyForm.WordPieces } && parts.Normalizer is BertNormalizer bert)
        {
            bool? strip = settings["strip_accents"].IsNull ? null : settings["strip_accents"].Flag(false);
            return new BertNormalizer(bert.CleanText, settings["tokenize_chinese_chars"].Flag(true), strip, settings["do_lower_case"].Flag(true));
        }
        // A Llama tokenizer is converted anew for this setting: legacy ones put the mark in front in the normalizer.
        if (_family is { KnowsLegacy: true, Form: VocabularyForm.SentencePiece, Template: SpecialTemplate.BeginEnd } && !prefix.IsNull && parts.Normalizer is NormalizerSequence sequence)
        {
            List<Normalizer> others = [.. sequence.Parts.Where(p => p is not PrependNormalizer)];
            bool had = others.Count < sequence.Parts.Count;
            if (prefix.Flag(true) != had && parts.PreTokenizer is null)
                return new NormalizerSequence(prefix.Flag(true) ? [new PrependNormalizer("▁"), .. others] : others);
        }
        return parts.Normalizer;
    }

    private PreTokenizer? PreTokenizer()
    {
        JsonPlace prefix = settings["add_prefix_space"];
        switch (parts.PreTokenizer)
        {
            case ByteLevelPreTokenizer bytes when !prefix.IsNull || _family is { Form: VocabularyForm.BytePairs }:
                return new ByteLevelPreTokenizer(prefix.Flag(false), bytes.TrimOffsets, bytes.UseRegex, bytes.KeepBytes);
            case MetaspacePreTokenizer mark when !prefix.IsNull && _family is { KnowsLegacy: true }:
                PrependScheme scheme = !prefix.Flag(true) ? PrependScheme.Never : mark.Scheme != PrependScheme.Never ? mark.Scheme : settings["legacy"].Flag(true) ? PrependScheme.Always : PrependScheme.First;
                return new MetaspacePreTokenizer(mark.Replacement, scheme, mark.Split);
            default:
                return parts.PreTokenizer;
        }
    }

    private PostProcessor? PostProcessor(SpecialTokens special, Vocabulary vocabulary)
    {
        JsonPlace bosSetting = settings["add_bos_token"];
        JsonPlace eosSetting = settings["add_eos_token"];
        bool rewrites = _family is { RewritesTemplate: true } && settings.HasConfig;
        if (!rewrites && bosSetting.IsNull && eosSetting.IsNull)
            return parts.PostProcessor;
        IReadOnlyList<TemplatePart> single = parts.PostProcessor?.Single ?? [TemplatePart.First];
        // Another kind of template, as BERT's, does not follow these settings.
        if (single.Any(p => p.Slot == TemplateSlot.Special && p.Name != special.Bos && p.Name != special.Eos))
            return parts.PostProcessor;
        bool begins = single[0].Slot == TemplateSlot.Special;
        bool ends = single[^1].Slot == TemplateSlot.Special;
        bool begin = bosSetting.Flag(rewrites ? _family!.AddsBos && special.Bos is not null : begins);
        bool end = eosSetting.Flag(!rewrites && ends);
        if (begin == begins && end == ends)
            return parts.PostProcessor;
        TemplateProcessing? template = TokenizerFamily.BeginEnd(
            begin ? Part(special.Bos, "bos_token", bosSetting) : null, end ? Part(special.Eos, "eos_token", eosSetting) : null);
        List<PostProcessor> kept = parts.PostProcessor switch
        {
            PostProcessorSequence sequence => [.. sequence.Parts.Where(p => p is ByteLevelProcessing)],
            ByteLevelProcessing bytes => [bytes],
            _ => [],
        };
        if (template is not null)
            kept.Add(template);
        return kept.Count switch { 0 => null, 1 => kept[0], _ => new PostProcessorSequence(kept) };

        TemplatePart Part(string? token, string role, JsonPlace setting)
        {
            int? id = token is null ? null : _added.IdOf(token) ?? vocabulary.Find(token);
            return id is null
                ? throw new InvalidDataException($"{setting.Path} is true, but {role} is {(token is null ? "not named" : $"\"{token}\", which is no token")}; name one, or set it to false.")
                : new TemplatePart(TemplateSlot.Special, [id.Value], 0, token!);
        }
    }
}
