/** The ZooKeeper registry, held to the suite of all registries with its real server. */
import { zookeeperAdapter } from '../kit/registry-zookeeper.ts';
import { registryConformance } from './registries.ts';

registryConformance(zookeeperAdapter);
