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
        if (trainer.Objective.Parameters.Count > 0)
            Checkpoint.WriteTensors(folder.Create(ObjectiveFile), trainer.Objective.Parameters);
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
        IReadOnlyList<Parameter> further = trainer.Objective.Parameters;
        Fill(folder, trainer.Parameters.Take(trainer.Parameters.Count - further.Count));
        if (further.Count > 0)
            Fill(Path.Combine(folder, ObjectiveFile), further);
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

    private static void Fill(string file, IEnumerable<Parameter> parameters)
    {
        using TensorFile weights = TensorFile.Open(file);
        foreach (Parameter parameter in parameters)
        {
            Fill(weights, parameter.Name, parameter.Value);
            parameter.MarkChanged();
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
