using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Tensors;

namespace Gradus.Training.Runs;

/// <summary>What a checkpoint holds besides the model so that training goes on bit for bit: <c>trainer/</c>.</summary>
public static class TrainerState
{
    private const string StateFile = "trainer/state.json";
    private const string OptimizerFile = "trainer/optimizer.safetensors";
    private const string ObjectiveFile = "trainer/objective.safetensors";

    // Trained parameters that the model's files hold under no name, or another one: networks that make a prefix, norms of an adapter.
    private const string ParametersFile = "trainer/parameters.safetensors";

    /// <summary>Writes the trainer's state into a checkpoint that is being written.</summary>
    /// <param name="folder">The checkpoint.</param>
    /// <param name="trainer">The trainer.</param>
    /// <param name="seed">The run's seed; a resumed run must have the same.</param>
    /// <param name="tokens">Tokens trained on so far.</param>
    public static void Write(AtomicFolder folder, Trainer trainer, long seed, long tokens)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(trainer);
        JsonObject state = new() { ["step"] = trainer.Steps, ["seed"] = seed, ["tokens"] = tokens };
        if (trainer.Optimizer.Steps != trainer.Steps)
            state["updates"] = trainer.Optimizer.Steps;
        if (trainer.Objective.State is { Count: > 0 } numbers)
            state["objective"] = new JsonObject(numbers.Select(n => KeyValuePair.Create(n.Key, (JsonNode?)n.Value)));
        Checkpoint.WriteObject(folder, StateFile, state);
        if (OfObjective(trainer) is { Count: > 0 } carried)
            Checkpoint.WriteTensors(folder.Create(ObjectiveFile), carried);
        if (OfModel(trainer).ToArray() is var trained && Missing(folder.TemporaryPath, trained) is { Count: > 0 } missing)
            Checkpoint.WriteTensors(folder.Create(ParametersFile), missing);
        Checkpoint.WriteTensors(folder.Create(OptimizerFile), trainer.Optimizer.State);
    }

    /// <summary>Puts a trainer, and the parameters it trains, into the state of a checkpoint.</summary>
    /// <param name="folder">A whole checkpoint.</param>
    /// <param name="trainer">A new trainer of the same model and optimizer.</param>
    /// <param name="seed">The run's seed.</param>
    /// <returns>Tokens trained on so far.</returns>
    /// <exception cref="InvalidDataException">The checkpoint was written with another seed, model or optimizer.</exception>
    public static long Read(string folder, Trainer trainer, long seed)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(trainer);
        string path = Path.Combine(folder, StateFile);
        JsonObject state = Checkpoint.ReadObject(path);
        long step = Number(state, "step", path), tokens = Number(state, "tokens", path), stored = Number(state, "seed", path);
        if (stored != seed)
            throw new InvalidDataException($"{path}: the run was started with seed {stored}, not {seed}; give the same seed to go on.");
        trainer.Objective.Restore(Numbers(state, path));
        FillModel(folder, [.. OfModel(trainer)]);
        if (OfObjective(trainer) is { Count: > 0 } carried)
        {
            using TensorFile file = TensorFile.Open(Path.Combine(folder, ObjectiveFile));
            foreach ((string name, Tensor value) in carried)
                Fill(file, name, value);
            foreach (Parameter parameter in trainer.Objective.Parameters)
                parameter.MarkChanged();
        }
        IReadOnlyDictionary<string, Tensor> optimizer = trainer.Optimizer.State;
        if (optimizer.Count > 0)
        {
            using TensorFile moments = TensorFile.Open(Path.Combine(folder, OptimizerFile));
            foreach ((string name, Tensor value) in optimizer)
                Fill(moments, name, value);
        }
        trainer.Steps = step;
        trainer.Optimizer.Steps = state.ContainsKey("updates") ? Number(state, "updates", path) : step;
        return tokens;
    }

    private static IEnumerable<Parameter> OfModel(Trainer trainer) => trainer.Parameters.Take(trainer.Parameters.Count - trainer.Objective.Parameters.Count);

    private static Dictionary<string, Tensor> OfObjective(Trainer trainer) => trainer.Objective.Parameters
        .Select(p => KeyValuePair.Create(p.Name, p.Value))
        .Concat(trainer.Objective.Tensors)
        .ToDictionary(StringComparer.Ordinal);

    private static Dictionary<string, Tensor> Missing(string folder, IReadOnlyList<Parameter> trained)
    {
        using TensorFile? model = ModelOf(folder);
        return trained.Where(p => model?.TryGet(p.Name, out _) != true).ToDictionary(p => p.Name, p => p.Value, StringComparer.Ordinal);
    }

    // An adapter of adapter-hub has files of other names; its parameters are all stored apart.
    private static TensorFile? ModelOf(string folder)
    {
        try
        {
            return TensorFile.Open(folder);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    private static void FillModel(string folder, IReadOnlyList<Parameter> parameters)
    {
        string apart = Path.Combine(folder, ParametersFile);
        using TensorFile? further = File.Exists(apart) ? TensorFile.Open(apart) : null;
        TensorFile? model = null;
        try
        {
            foreach (Parameter parameter in parameters)
            {
                Fill(further?.TryGet(parameter.Name, out _) == true ? further : model ??= TensorFile.Open(folder), parameter.Name, parameter.Value);
                parameter.MarkChanged();
            }
        }
        finally
        {
            model?.Dispose();
        }
    }

    private static Dictionary<string, double> Numbers(JsonObject state, string path)
    {
        Dictionary<string, double> numbers = new(StringComparer.Ordinal);
        foreach ((string key, JsonNode? value) in state["objective"] as JsonObject ?? [])
        {
            numbers[key] = value is JsonValue given && given.TryGetValue(out double number)
                ? number
                : throw new InvalidDataException($"{path}: objective.{key} is not a number; the checkpoint is damaged, remove it to go on from an older one.");
        }
        return numbers;
    }

    private static void Fill(TensorFile file, string name, Tensor value)
    {
        TensorEntry entry = file[name];
        if (entry.Shape != value.Shape)
            throw new InvalidDataException($"{file.Path}: tensor \"{name}\" has the shape {entry.Shape}, but the run's configuration makes it {value.Shape}; resume with the configuration of run.json.");
        file.Read(entry, value.Span());
    }

    private static long Number(JsonObject state, string key, string path) =>
        state[key] is JsonValue value && value.TryGetValue(out long number)
            ? number
            : throw new InvalidDataException($"{path}: {key} is missing or not a number; the checkpoint is damaged, remove it to go on from an older one.");
}
