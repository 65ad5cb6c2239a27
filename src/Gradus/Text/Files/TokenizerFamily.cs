// What transformers' tokenizer classes do beyond their files: which special tokens they have, what they put around a text, which of
// their settings change ids. Source: transformers 4, models/*/tokenization_*.py and convert_slow_tokenizer.py.
// Leaves out: classes of models that Gradus does not run (a folder of one needs its tokenizer.json), and CodeLlama's <FILL_ME>.

namespace Gradus.Text;

/// <summary>What a class reads its vocabulary from.</summary>
internal enum VocabularyForm
{
    /// <summary>A SentencePiece model.</summary>
    SentencePiece,

    /// <summary>vocab.json and merges.txt.</summary>
    BytePairs,

    /// <summary>vocab.txt.</summary>
    WordPieces,
}

/// <summary>What a class puts around a text.</summary>
internal enum SpecialTemplate
{
    /// <summary>The begin and end token, as add_bos_token and add_eos_token say.</summary>
    BeginEnd,

    /// <summary>The end token.</summary>
    End,

    /// <summary>[CLS] A [SEP] B [SEP].</summary>
    Bert,

    /// <summary>&lt;s&gt; A &lt;/s&gt;&lt;/s&gt; B &lt;/s&gt;.</summary>
    Roberta,

    /// <summary>A &lt;sep&gt; B &lt;sep&gt; &lt;cls&gt;.</summary>
    XLNet,
}

/// <summary>A class of tokenizers, and those that do the same.</summary>
/// <param name="Classes">Their names, without "Fast".</param>
/// <param name="ModelTypes">The models that have it where no file names a class.</param>
/// <param name="Form">What it reads its vocabulary from.</param>
/// <param name="Template">What it puts around a text.</param>
/// <param name="Special">The special tokens that it has where no file names them.</param>
internal sealed record TokenizerFamily(string[] Classes, string[] ModelTypes, VocabularyForm Form, SpecialTemplate Template, SpecialTokens Special)
{
    private static readonly SpecialTokens BertTokens = new(Unknown: "[UNK]", Pad: "[PAD]", Separator: "[SEP]", Classifier: "[CLS]", Mask: "[MASK]");
    private static readonly SpecialTokens RobertaTokens = new("<s>", "</s>", "<unk>", "<pad>", "</s>", "<s>", "<mask>");
    private static readonly SpecialTokens Gpt2Tokens = new("<|endoftext|>", "<|endoftext|>", "<|endoftext|>");

    /// <summary>Whether a text begins with the begin token where add_bos_token is absent.</summary>
    public bool AddsBos { get; init; }

    /// <summary>Whether the fast class makes the template anew from add_bos_token and add_eos_token, whatever tokenizer.json has.</summary>
    public bool RewritesTemplate { get; init; }

    /// <summary>Whether the class knows legacy and add_prefix_space of SentencePiece models: where the word mark goes before a text.</summary>
    public bool KnowsLegacy { get; init; }

    /// <summary>Whether the mask token takes the white space before it.</summary>
    public bool MaskTakesSpace { get; init; }

    /// <summary>Whether ids are fairseq's: &lt;s&gt;, &lt;pad&gt;, &lt;/s&gt; and &lt;unk&gt; first, then the pieces from the fourth on, then the mask.</summary>
    public bool FairseqIds { get; init; }

    /// <summary>How many sentinels (&lt;extra_id_0&gt;, the last id, and so on) follow the pieces where extra_ids is absent.</summary>
    public int ExtraIds { get; init; }

    /// <summary>Whether text is prepared as XLNet's and ALBERT's: quotes, accents, case.</summary>
    public bool PreparesText { get; init; }

    /// <summary>More special tokens of the class.</summary>
    public string[] More { get; init; } = [];

    /// <summary>All families.</summary>
    public static IReadOnlyList<TokenizerFamily> All { get; } =
    [
        new(["LlamaTokenizer"], ["llama", "mistral", "mixtral", "phi3"], VocabularyForm.SentencePiece, SpecialTemplate.BeginEnd, new("<s>", "</s>", "<unk>"))
        {
            AddsBos = true, RewritesTemplate = true, KnowsLegacy = true,
        },
        new(["CodeLlamaTokenizer"], ["code_llama"], VocabularyForm.SentencePiece, SpecialTemplate.BeginEnd, new("<s>", "</s>", "<unk>"))
        {
            AddsBos = true, RewritesTemplate = true, More = ["▁<PRE>", "▁<MID>", "▁<SUF>", "▁<EOT>"],
        },
        new(["GemmaTokenizer"], ["gemma", "gemma2", "gemma3_text", "gemma3"], VocabularyForm.SentencePiece, SpecialTemplate.BeginEnd, new("<bos>", "<eos>", "<unk>", "<pad>"))
        {
            AddsBos = true, RewritesTemplate = true,
        },
        new(["T5Tokenizer", "MT5Tokenizer"], ["t5", "mt5", "umt5"], VocabularyForm.SentencePiece, SpecialTemplate.End, new(Eos: "</s>", Unknown: "<unk>", Pad: "<pad>"))
        {
            ExtraIds = 100, KnowsLegacy = true,
        },
        new(["XLMRobertaTokenizer"], ["xlm-roberta", "xlm-roberta-xl"], VocabularyForm.SentencePiece, SpecialTemplate.Roberta, RobertaTokens) { FairseqIds = true, MaskTakesSpace = true },
        new(["XLNetTokenizer"], ["xlnet"], VocabularyForm.SentencePiece, SpecialTemplate.XLNet, new("<s>", "</s>", "<unk>", "<pad>", "<sep>", "<cls>", "<mask>"))
        {
            PreparesText = true, MaskTakesSpace = true, More = ["<eop>", "<eod>"],
        },
        new(["AlbertTokenizer"], ["albert"], VocabularyForm.SentencePiece, SpecialTemplate.Bert, new("[CLS]", "[SEP]", "<unk>", "<pad>", "[SEP]", "[CLS]", "[MASK]"))
        {
            PreparesText = true, MaskTakesSpace = true,
        },
        new(["GPT2Tokenizer", "CodeGenTokenizer"], ["gpt2", "gptj", "opt", "phi", "codegen", "starcoder2"], VocabularyForm.BytePairs, SpecialTemplate.BeginEnd, Gpt2Tokens),
        new(["Qwen2Tokenizer"], ["qwen2", "qwen2_moe", "qwen3", "qwen3_moe"], VocabularyForm.BytePairs, SpecialTemplate.BeginEnd, new(Eos: "<|endoftext|>", Unknown: "<|endoftext|>", Pad: "<|endoftext|>")),
        new(["RobertaTokenizer", "LongformerTokenizer", "BartTokenizer", "LEDTokenizer", "MvpTokenizer"], ["roberta", "longformer", "bart", "led", "mvp"], VocabularyForm.BytePairs, SpecialTemplate.Roberta, RobertaTokens)
        {
            MaskTakesSpace = true,
        },
        new(["DebertaTokenizer"], ["deberta"], VocabularyForm.BytePairs, SpecialTemplate.Bert, BertTokens with { Bos = "[CLS]", Eos = "[SEP]" }) { MaskTakesSpace = true },
        new([
            "BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer", "ConvBertTokenizer", "SqueezeBertTokenizer", "LxmertTokenizer", "RetriBertTokenizer",
            "LayoutLMTokenizer", "DPRContextEncoderTokenizer", "DPRQuestionEncoderTokenizer", "DPRReaderTokenizer",
        ], ["bert", "distilbert", "electra", "mobilebert", "convbert", "squeezebert", "lxmert", "layoutlm", "dpr"], VocabularyForm.WordPieces, SpecialTemplate.Bert, BertTokens),
        new(["MPNetTokenizer"], ["mpnet"], VocabularyForm.WordPieces, SpecialTemplate.Roberta, RobertaTokens with { Unknown = "[UNK]" }) { MaskTakesSpace = true },
    ];

    /// <summary>The family of a class, or null where it is not known.</summary>
    public static TokenizerFamily? Find(string? className) => className is null ? null : All.FirstOrDefault(f => f.Classes.Contains(className));

    /// <summary>The family that a model's tokenizer has where no file names its class, or null.</summary>
    public static TokenizerFamily? OfModel(string? modelType) => modelType is null ? null : All.FirstOrDefault(f => f.ModelTypes.Contains(modelType));

    /// <summary>A special token of the class that a file names by its text alone.</summary>
    public AddedToken Token(string role, string content) => new(TokenizerSettings.NoId, content, LeftStrip: MaskTakesSpace && role == "mask_token");

    /// <summary>The post-processor, or null where nothing is put around a text.</summary>
    /// <param name="special">The special tokens.</param>
    /// <param name="id">The id of one.</param>
    /// <param name="begins">Whether a text begins with the begin token, for <see cref="SpecialTemplate.BeginEnd"/>.</param>
    /// <param name="ends">Whether it ends with the end token, likewise.</param>
    /// <param name="prefixSpace">Whether a space is put in front of a text.</param>
    public PostProcessor? PostProcessor(SpecialTokens special, Func<string, string, int> id, bool begins, bool ends, bool prefixSpace)
    {
        TemplatePart Part(string? token, string role, int type = 0) =>
            new(TemplateSlot.Special, [id(role, token ?? throw new InvalidDataException($"{role} is null, but {Classes[0]} puts it around every text; name one."))], type, token);

        switch (Template)
        {
            case SpecialTemplate.BeginEnd:
                return BeginEnd(begins ? Part(special.Bos, "bos_token") : null, ends ? Part(special.Eos, "eos_token") : null);
            case SpecialTemplate.End:
                TemplatePart end = Part(special.Eos, "eos_token");
                return new TemplateProcessing([TemplatePart.First, end], [TemplatePart.First, end, TemplatePart.Second with { TypeId = 0 }, end]);
            case SpecialTemplate.XLNet:
                TemplatePart separator = Part(special.Separator, "sep_token");
                TemplatePart last = Part(special.Classifier, "cls_token", 2);
                return new TemplateProcessing([TemplatePart.First, separator, last], [TemplatePart.First, separator, TemplatePart.Second, separator with { TypeId = 1 }, last]);
        }
        TemplatePart classifier = Part(special.Classifier, "cls_token");
        TemplatePart sep = Part(special.Separator, "sep_token");
        return Template == SpecialTemplate.Bert
            ? ClassifierProcessing.Bert((sep.Name, sep.Ids[0]), (classifier.Name, classifier.Ids[0]))
            : ClassifierProcessing.Roberta((sep.Name, sep.Ids[0]), (classifier.Name, classifier.Ids[0]), trimOffsets: Form == VocabularyForm.BytePairs, prefixSpace);
    }

    /// <summary>A begin and an end token around every text; null where there is neither.</summary>
    public static TemplateProcessing? BeginEnd(TemplatePart? begin, TemplatePart? end)
    {
        TemplatePart[] before = begin is null ? [] : [begin];
        TemplatePart[] after = end is null ? [] : [end];
        if (begin is null && end is null)
            return null;
        static TemplatePart Second(TemplatePart p) => p with { TypeId = 1 };
        return new TemplateProcessing([.. before, TemplatePart.First, .. after],
            [.. before, TemplatePart.First, .. after, .. before.Select(Second), TemplatePart.Second, .. after.Select(Second)]);
    }
}
