// A model as an application needs it: weights, tokenizer, chat template, adapter, end ids, opened from any folder or file; and the one place that
// decides how text and messages become what a model reads: the prompt of a decoder, the source of a model with an encoder.
// Left out: finding a run's newest checkpoint or a name on the hub (ModelLocation.Find asks the caller), and generating itself (Gradus.Generation).

using System.Text.Json.Nodes;
using Gradus.Adapters;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Text;
using Gradus.Text.Chat;

namespace Gradus.Bundle;

/// <summary>How a model is opened.</summary>
/// <param name="KeepStoredType">Keep BF16 and F16 weights as they are, looked at in the file, to be run or adapted but not trained.</param>
/// <param name="KeepPacked">Keep a quantized file's matrices in their blocks, to be run or adapted.</param>
/// <param name="WritesText">Refuse a model that does not write text (an encoder, a classifier) before its weights are read.</param>
/// <param name="DefaultTemplate">Give a model that has no chat template the one of <see cref="DefaultChatTemplate"/>.</param>
public sealed record ModelBundleOptions(bool KeepStoredType = false, bool KeepPacked = false, bool WritesText = false, bool DefaultTemplate = false)
{
    /// <summary>A model that is run, not trained: weights stay as the file has them.</summary>
    public static ModelBundleOptions ToRun { get; } = new(KeepStoredType: true, KeepPacked: true);
}

/// <summary>
/// A model of any kind with its tokenizer, chat template, adapter and the ids that end its texts. All members may be used by many threads at
/// once; so may forward passes, each with a workspace of its own. What changes the model (training, attaching or merging adapters, disposal)
/// needs it alone; adapters that stand beside each other come and go meanwhile (<see cref="OpenAdapter"/>).
/// </summary>
public sealed class ModelBundle : IDisposable
{
    private readonly Lazy<ChatEncoder?> _chat;
    private readonly Lazy<IReadOnlyList<int>> _answerEndIds;
    private readonly Lazy<AdapterSet> _adapters;
    private readonly ModelBundle? _base;

    /// <summary>Puts a bundle together of parts that are there already.</summary>
    /// <param name="model">The model; disposed with this.</param>
    /// <param name="tokenizer">The tokenizer; no larger than the model's vocabulary.</param>
    /// <param name="location">Where the model came from; for messages, where it is not on the disk yet.</param>
    /// <param name="endIds">The ids that end any text; the tokenizer's where null.</param>
    /// <param name="adapter">The adapter on the model, or null; disposed with this.</param>
    /// <param name="pooling">How the model makes one vector of a text, where its files say so.</param>
    /// <param name="defaultTemplate">Whether a tokenizer without a chat template gets the one of <see cref="DefaultChatTemplate"/>.</param>
    /// <exception cref="InvalidDataException">The tokenizer does not fit the model.</exception>
    public ModelBundle(
        LanguageModel model,
        Tokenizer tokenizer,
        ModelLocation location,
        IEnumerable<int>? endIds = null,
        ModelAdapter? adapter = null,
        Pooling? pooling = null,
        bool defaultTemplate = false)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(location);
        CheckFit(tokenizer, model.Config, location);
        Model = model;
        Tokenizer = tokenizer;
        Location = location;
        Adapter = adapter;
        Pooling = pooling;
        EndIds = [.. new SortedSet<int>(endIds ?? (tokenizer.EosId is { } eos ? [eos] : []))];
        _adapters = new(() => new AdapterSet(Generative));
        _chat = new(() => (ChatTemplate.Of(tokenizer) ?? (defaultTemplate ? ChatTemplate.Parse(DefaultChatTemplate.For(tokenizer)) : null)) is { } template ? new ChatEncoder(tokenizer, template) : null);
        _answerEndIds = new(() => model is EncoderDecoderModel || _chat.Value is not { } chat ? EndIds : [.. new SortedSet<int>([.. EndIds, .. chat.AnswerEnd])]);
    }

    /// <summary>Opens a model: a folder in the Hugging Face layout, a GGUF or llama2.c file, or an adapter's folder with its base model.</summary>
    /// <param name="path">What <see cref="ModelLocation.Find"/> takes.</param>
    /// <param name="device">Where it computes.</param>
    /// <param name="options">What is kept as stored, what is asked of the model; the defaults where null.</param>
    /// <exception cref="InvalidDataException">A file is missing, broken, or does not fit the others; one line that names it.</exception>
    public static ModelBundle Open(string path, Device device, ModelBundleOptions? options = null) => Open(ModelLocation.Find(path), device, options);

    // The same model with an adapter beside others, and what belongs to that.
    private ModelBundle(ModelBundle of, string name, ModelLocation location, Tokenizer tokenizer, IEnumerable<int> endIds, bool defaultTemplate)
        : this(of.Model, tokenizer, location, endIds, null, of.Pooling, defaultTemplate) => (_base, AdapterName) = (of, name);

    /// <summary>Opens the model of a location.</summary>
    /// <param name="location">The folders.</param>
    /// <param name="device">Where it computes.</param>
    /// <param name="options">What is kept as stored, what is asked of the model; the defaults where null.</param>
    /// <exception cref="InvalidDataException">A file is missing, broken, or does not fit the others; one line that names it.</exception>
    public static ModelBundle Open(ModelLocation location, Device device, ModelBundleOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(location);
        ArgumentNullException.ThrowIfNull(device);
        options ??= new ModelBundleOptions();
        // The small files first: a wrong model or tokenizer is found before gigabytes are read.
        StoredFacts stored = StoredFacts.Read(location);
        if (options.WritesText && !Architectures.WritesText(stored.Config))
            throw WritesNothing(location, stored.Config);
        Tokenizer tokenizer = location.OpenTokenizer();
        CheckFit(tokenizer, location.Adapter is null ? stored.Config : PeftFolder.Adapted(location.Adapter, stored.Config), location);
        LanguageModel model = Checkpoint.Load(location.Folder, device, options.KeepStoredType, options.KeepPacked);
        ModelAdapter? adapter = null;
        try
        {
            adapter = location.Adapter is null ? null : PeftFolder.Load(location.Adapter, model);
            return new ModelBundle(model, tokenizer, location, stored.EndIdsWith(tokenizer), adapter, stored.Pooling, options.DefaultTemplate);
        }
        catch
        {
            adapter?.Dispose();
            model.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Loads an adapter beside others on this bundle's model, while it is in use: what comes back is a bundle of the same model whose requests are run
    /// with that adapter, and whose tokenizer, chat template and end ids are those of the adapter's folder, where it has them. Requests of all of them
    /// may go through one <see cref="GenerationEngine"/> of <see cref="Generative"/>. Disposing it unloads the adapter; requests that run go on to their end.
    /// </summary>
    /// <param name="name">The adapter's name in requests; free.</param>
    /// <param name="folder">Its folder, in the layout of PEFT. The base model that it names is not looked at.</param>
    /// <param name="defaultTemplate">Whether a tokenizer without a chat template gets the one of <see cref="DefaultChatTemplate"/>.</param>
    /// <exception cref="ArgumentException">The name is taken.</exception>
    /// <exception cref="InvalidDataException">A file is missing or broken, or the adapter does not fit the model, or cannot stand beside others (<see cref="AdapterSet"/>).</exception>
    /// <exception cref="NotSupportedException">The model is a recurrent network.</exception>
    /// <exception cref="InvalidOperationException">This bundle has an adapter itself.</exception>
    public ModelBundle OpenAdapter(string name, string folder, bool defaultTemplate = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(folder);
        if (_base is not null)
            throw new InvalidOperationException("This bundle is of an adapter; load others beside it on the bundle of the base model.");
        ModelLocation location = new(Location.Folder, folder);
        Tokenizer tokenizer = location.OpenTokenizer();
        IEnumerable<int> endIds = StoredFacts.Read(location).EndIdsWith(tokenizer);
        _adapters.Value.Load(name, folder);
        try
        {
            return new ModelBundle(this, name, location, tokenizer, endIds, defaultTemplate);
        }
        catch
        {
            _adapters.Value.Unload(name);
            throw;
        }
    }

    /// <summary>The model: a decoder, an encoder-decoder, an encoder, or a body with the head of a task.</summary>
    public LanguageModel Model { get; }

    /// <summary>The model as one that writes text.</summary>
    /// <exception cref="InvalidDataException">It does not.</exception>
    public GenerativeModel Generative => Model as GenerativeModel ?? throw WritesNothing(Location, Model.Config);

    /// <summary>Whether the model reads a source with an encoder and writes an answer to it (T5, BART), rather than going on from its prompt.</summary>
    public bool ReadsSource => Model is EncoderDecoderModel;

    /// <summary>The adapter on the model, or null.</summary>
    public ModelAdapter? Adapter { get; }

    /// <summary>The name of the adapter that this bundle's requests are run with, of those beside each other on the model (<see cref="OpenAdapter"/>); null for none.</summary>
    public string? AdapterName { get; }

    /// <summary>The tokenizer that the model was trained with.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>The chat template, or null where the model has none; parsed when first asked for.</summary>
    /// <exception cref="InvalidDataException">The template cannot be parsed.</exception>
    public ChatTemplate? Template => _chat.Value?.Template;

    /// <summary>The folders that were opened: for a run, its checkpoint.</summary>
    public ModelLocation Location { get; }

    /// <summary>How the model makes one vector of a text, where its files say so (sentence-transformers, GGUF).</summary>
    public Pooling? Pooling { get; }

    /// <summary>The longest sequence, in tokens; of a model with an encoder, of source and answer each.</summary>
    public int ContextLength => Model is GenerativeModel writer ? writer.LongestSequence : Model.Config.ContextLength;

    /// <summary>The ids that end a text, ascending: the tokenizer's, and those of config.json and generation_config.json of model and adapter.</summary>
    public IReadOnlyList<int> EndIds { get; }

    /// <summary>The ids that end an answer, ascending: <see cref="EndIds"/>, and the token that the chat template puts behind the assistant's words.</summary>
    /// <exception cref="InvalidDataException">The template cannot be parsed.</exception>
    /// <exception cref="ChatTemplateException">The template refuses a conversation of one question and one answer.</exception>
    public IReadOnlyList<int> AnswerEndIds => _answerEndIds.Value;

    /// <summary>The request to go on from a text; of a model with an encoder, to answer it.</summary>
    /// <param name="text">
    /// The text. An empty one begins with the token that texts begin with, or that parts them.
    /// </param>
    /// <param name="addSpecialTokens">Whether the tokenizer's special tokens are put before it; a source has them always.</param>
    /// <exception cref="ArgumentException">The text is empty and nothing begins a text, or the tokenizer knows nothing of it.</exception>
    /// <exception cref="InvalidDataException">The model does not write text.</exception>
    public GenerationRequest Continue(string text, bool addSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        int[] ids = ReadsSource ? SourceText.Encode(text, Tokenizer) : Tokenizer.Encode(text, addSpecialTokens);
        if (ids.Length == 0)
        {
            ids = (Tokenizer.BosId ?? Tokenizer.EndOfText) is { } first ? [first] : throw new ArgumentException(text.Length == 0
                ? "The model's texts have no token to begin with; give a prompt."
                : "The tokenizer knows nothing in the prompt; give another one.");
        }
        return GenerationRequest.For(Generative, ids) with { StopTokens = EndIds, Adapter = AdapterName };
    }

    /// <summary>
    /// The request to answer a conversation: a decoder goes on from what its chat template makes of it; a model with an encoder reads the texts of
    /// the messages, an empty line between them.
    /// </summary>
    /// <param name="conversation">Messages and tools, up to where the assistant is to speak.</param>
    /// <param name="variables">Further variables of the template, such as <c>enable_thinking</c>.</param>
    /// <exception cref="InvalidDataException">The model does not write text, or is a decoder without a chat template.</exception>
    /// <exception cref="ChatTemplateException">The template refuses the conversation.</exception>
    public GenerationRequest Answer(ChatConversation conversation, IReadOnlyDictionary<string, JsonNode?>? variables = null)
    {
        ArgumentNullException.ThrowIfNull(conversation);
        int[] ids = ReadsSource ? SourceText.Encode(SourceText.Join(conversation.Messages), Tokenizer) : Chat.EncodePrompt(conversation, variables);
        return GenerationRequest.For(Generative, ids) with { StopTokens = AnswerEndIds, Adapter = AdapterName };
    }

    /// <summary>How conversations become tokens of a decoder, to answer or to learn from.</summary>
    /// <exception cref="InvalidDataException">The model has no chat template, or one that cannot be parsed.</exception>
    public ChatEncoder Chat => _chat.Value ?? throw new InvalidDataException(
        $"{Location.Folder}: the model has no chat template; fine-tune it on conversations first, or let it continue texts: gradus generate {Location.Folder}");

    /// <summary>Whether a request and an answer of so many tokens fit the context.</summary>
    public bool Fits(GenerationRequest request, int newTokens)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request.Prompt.Length + (long)newTokens <= ContextLength && (request.Source?.Length ?? 0) <= ContextLength;
    }

    /// <summary>
    /// Refuses a tokenizer whose vocabulary is larger than the model's. A smaller one is well: tables are padded. So are added tokens beyond
    /// the table, which published models have: only a text that holds one cannot be read.
    /// </summary>
    /// <exception cref="InvalidDataException">It does not fit.</exception>
    public static void CheckFit(Tokenizer tokenizer, ModelConfig config, ModelLocation location)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(location);
        int tokens = tokenizer.Parts.Model.Vocabulary.Count;
        if (tokens > config.Vocabulary)
            throw new InvalidDataException($"{location.Adapter ?? location.Folder}: the tokenizer does not fit the model: it has {tokens} tokens, the model only {config.Vocabulary}; give the tokenizer that the model was trained with.");
    }

    /// <summary>Frees the model and its adapter; a bundle of <see cref="OpenAdapter"/> unloads its adapter only.</summary>
    public void Dispose()
    {
        if (_base is not null)
        {
            _base._adapters.Value.Unload(AdapterName!);
            return;
        }
        Adapter?.Dispose();
        Model.Dispose();
    }

    private static InvalidDataException WritesNothing(ModelLocation location, ModelConfig config) =>
        new($"{location.Folder}: {config.Architecture} does not write text; give a decoder such as gpt2 or llama.");

    /// <summary>What the small files of a model say.</summary>
    /// <param name="Config">The hyperparameters.</param>
    /// <param name="EndIds">What ends a text; chat models end an answer with another token, and generation_config.json lists all, config.json some.</param>
    /// <param name="Pooling">How one vector is made of a text.</param>
    private sealed record StoredFacts(ModelConfig Config, IEnumerable<int> EndIds, Pooling? Pooling)
    {
        public IEnumerable<int> EndIdsWith(Tokenizer tokenizer) => tokenizer.EosId is { } eos ? EndIds.Append(eos) : EndIds;

        public static StoredFacts Read(ModelLocation location)
        {
            int[] ofAdapter = [.. OfFolder(location.Adapter)];
            if (!GgufModel.IsGguf(location.Folder))
            {
                return new(
                    Checkpoint.ReadConfig(location.Folder),
                    OfFolder(location.Folder).Concat(ofAdapter),
                    Directory.Exists(location.Folder) ? SentencePooling.Find(location.Folder) : null);
            }
            using GgufModel model = GgufModel.Open(location.Folder);
            return new(Architectures.Parse(model.Config, location.Folder), [.. Numbers(model.GenerationConfig()["eos_token_id"]), .. ofAdapter], model.Pooling);
        }

        private static IEnumerable<int> OfFolder(string? folder) => folder is null ? [] : new[] { Checkpoint.ConfigFile, "generation_config.json" }
            .Select(name => Path.Combine(folder, name))
            .Where(File.Exists)
            .SelectMany(path => Numbers(Checkpoint.ReadObject(path)["eos_token_id"]));

        private static IEnumerable<int> Numbers(JsonNode? node) => node switch
        {
            JsonArray list => list.SelectMany(Numbers),
            JsonValue value when value.TryGetValue(out int id) => [id],
            JsonValue value when value.TryGetValue(out long id) && id is >= 0 and <= int.MaxValue => [(int)id],
            _ => [],
        };
    }
}
