namespace Gradus.Applications.Python;

/// <summary>copy.</summary>
internal static class CopyModule
{
    public static void Fill(Interpreter it, ModuleObject m)
    {
        m.Add("copy", (i, a, _) => Copy(i, a[0], null), 1, 1);
        m.Add("deepcopy", (i, a, _) => Copy(i, a[0], new Dictionary<PyObject, Value>(ReferenceEqualityComparer.Instance)), 1, 2);
    }

    private static Value Copy(Interpreter it, Value value, Dictionary<PyObject, Value>? known)
    {
        if (known is not null && known.TryGetValue(value.Ref!, out Value seen) && value.Ref is not Tag)
            return seen;
        Value Inner(Value v) => known is null ? v : Copy(it, v, known);
        it.Burn();
        System.Runtime.CompilerServices.RuntimeHelpers.EnsureSufficientExecutionStack();
        switch (value.Ref)
        {
            case ListObject list:
                ListObject items = new();
                Remember(items);
                foreach (Value item in list.ToArray())
                    items.Add(Inner(item));
                return Value.Of(items);
            case TupleObject tuple:
                return known is null ? value : Value.Of(new TupleObject([.. tuple.Items.Select(Inner)]) { Named = tuple.Named });
            case DictObject dict:
                DictObject entries = new() { Of = dict.Of, Factory = dict.Factory };
                Remember(entries);
                foreach (Value key in dict.Table.Keys())
                    entries.Table.Set(Inner(key), dict.Table.TryGet(key, out Value entry) ? Inner(entry) : default);
                return Value.Of(entries);
            case SetObject set:
                return Value.Of(new SetObject(set.Table.Copy(), set.Frozen));
            case InstanceObject instance:
                Value own = instance.Of.Find(known is null ? "__copy__" : "__deepcopy__");
                if (!own.IsUnbound)
                    return known is null ? it.Call(own, value) : it.Call(own, value, Value.Of(new DictObject()));
                InstanceObject made = new(instance.Of);
                Remember(made);
                made.Base = instance.Base.IsUnbound ? default : Copy(it, instance.Base, known);
                foreach ((string name, Value attribute) in instance.Attributes)
                    made.Attributes[name] = Inner(attribute);
                return Value.Of(made);
            case IIterable:
                return it.CallMethod(value, "__copy__");
            default:
                return value;
        }

        void Remember(PyObject made)
        {
            if (known is not null)
                known[value.Ref!] = Value.Of(made);
        }
    }
}
